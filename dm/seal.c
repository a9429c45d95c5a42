/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last stage before guest bytes are looked at. The order matters: handles are restricted while
 * they can still be, the folder is left before the user is.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "dm/dm.h"
#include "dm/log.h"

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

int seal(struct dm *dm)
{
    const struct config *config = dm->config;
    uid_t uid = 0;
    gid_t gid = 0;
    int runas = seal_user(config, &uid, &gid);
    int rc;

    if (runas < 0)
        return runas;
    if (config->restrict_domid) {
        rc = xen_restrict(dm->xen);
        if (rc) {
            log_error("-xen-domid-restrict: cannot restrict the Xen handles to domain %u: %s",
                      config->domid, strerror(-rc));
            return rc;
        }
        dm->restricted = true;
    }
    errno = 0;
    if (config->chroot_dir && chroot(config->chroot_dir))
        return refuse("chroot to", config->chroot_dir);
    if (chdir("/"))
        return refuse("change to", "/");
    if (runas) {
        rc = change_user(uid, gid);
        if (rc)
            return rc;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return refuse("give up", "new privileges");
    return 0;
}
