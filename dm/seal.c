/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last stage before guest bytes are looked at. The order matters: handles are restricted while
 * they can still be, the folder is left before the user is, and what root may have again is
 * settled while root is still root. The filter of system calls comes last.
 *
 * Without -runas the process stays root, as the toolstack wants it: media that `xl cd-insert` names
 * may belong to anybody. Of root's capabilities it keeps the one that opens them; with
 * -xen-domid-restrict and -chroot, where everything comes as a descriptor, not even that.
 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "dm/dm.h"
#include "dm/log.h"
#include "dm/sanitized.h"
#include "dm/seal_filter.h"
#include "dm/seal_rights.h"
#include "dm/worker.h"

static int refuse(const char *what, const char *object)
{
    int rc = errno ? -errno : -EPERM;

    log_error("cannot %s %s: %s", what, object, strerror(-rc));
    return rc;
}

/* Resolved before the chroot: afterwards there is no user database. */
int seal_user(const struct config *config, uid_t *uid, gid_t *gid)
{
    struct passwd *pw;

    if (config->runas_ids) {
        *uid = config->runas_uid;
        *gid = config->runas_gid;
        return 1;
    }
    if (!config->runas_user)
        return 0;
    errno = 0;
    pw = getpwnam(config->runas_user);
    if (!pw) {
        log_error("-runas %s: there is no such user", config->runas_user);
        return errno ? -errno : -ENOENT;
    }
    if (pw->pw_uid == 0) {
        log_error("-runas %s: this is root", config->runas_user);
        return -EINVAL;
    }
    *uid = pw->pw_uid;
    *gid = pw->pw_gid;
    return 1;
}

static int change_user(uid_t uid, gid_t gid)
{
    if (setgroups(1, &gid) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
        return refuse("change to the user of", "-runas");
    if (setuid(0) == 0) {
        log_error("-runas: root can be had back; refusing to go on");
        return -EPERM;
    }
    return 0;
}

/* Everything the toolstack may ask for later comes as a descriptor. */
static bool no_paths(const struct config *config)
{
    return config->restrict_domid && config->chroot_dir;
}

static bool reconnects(const struct config *config)
{
    bool any = false;

    for (unsigned i = 0; i < config->chardev_count; i++)
        any |= config->chardev[i].reconnect != 0;
    for (unsigned i = 0; i < config->netdev_count; i++)
        any |= config->netdev[i].reconnect != 0;
    return any;
}

static int done(const char *what, int rc)
{
    if (rc)
        log_error("cannot %s: %s", what, strerror(-rc));
    return rc;
}

static int leave_folder(const struct config *config)
{
    errno = 0;
    if (config->chroot_dir && chroot(config->chroot_dir))
        return refuse("chroot to", config->chroot_dir);
    if (chdir("/"))
        return refuse("change to", "/");
    return 0;
}

static int filter_calls(struct dm *dm)
{
    const struct config *config = dm->config;
    unsigned bits = (no_paths(config) ? 0 : SEAL_PATHS) | (reconnects(config) ? SEAL_CONNECT : 0) |
                    (config->restrict_domid ? 0 : SEAL_HYPERCALLS);

    if (config->sandbox == CONFIG_SANDBOX_OFF) {
        log_warn("-sandbox off: system calls are not filtered");
        return 0;
    }
    if (SANITIZED)
        return 0;
    block_servers_seal(dm->servers);
    return done("filter system calls (-sandbox off goes on without)", seal_filter(bits));
}

/* What holds in every case. `runas`: there is a user to change to. */
static int give_up_rights(const struct config *config, bool runas, uid_t uid, gid_t gid)
{
    int capability = runas || no_paths(config) ? -1 : CAP_DAC_OVERRIDE;
    int rc = done("limit capabilities", seal_bounds(capability));

    if (!rc && runas)
        rc = change_user(uid, gid);
    if (!rc)
        rc = done("give up capabilities", seal_capabilities(capability));
    if (!rc)
        rc = done("limit resources", seal_limits(config->runas_ids));
    if (!rc && !SANITIZED)
        rc = done("forbid tracing", seal_undumpable());
    if (!rc && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        rc = refuse("give up", "new privileges");
    return rc;
}

int seal(struct dm *dm)
{
    const struct config *config = dm->config;
    uid_t uid = 0;
    gid_t gid = 0;
    int runas = seal_user(config, &uid, &gid);
    int rc;

    if (runas < 0)
        return runas;
    /* Capabilities belong to threads: whoever opened images has none to keep. */
    workers_end_threads(dm->env.workers);
    inherited_close(&dm->inherited, config);
    if (config->restrict_domid) {
        timeoffset_begin(dm);
        rc = xen_restrict(dm->xen);
        if (rc) {
            log_error("-xen-domid-restrict: cannot restrict the Xen handles to domain %u: %s",
                      config->domid, strerror(-rc));
            return rc;
        }
        dm->restricted = true;
    }
    rc = leave_folder(config);
    if (!rc)
        rc = give_up_rights(config, runas, uid, gid);
    return rc ? rc : filter_calls(dm);
}
