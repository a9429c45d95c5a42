/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traditional mode, the half that is not on the command line: what xenstore says about the disks
 * and the domain, joined to a struct config. Pure functions: who reads xenstore is dm/.
 */
#ifndef TOOLSTACK_TRADITIONAL_H
#define TOOLSTACK_TRADITIONAL_H

#include "toolstack/cmdline.h"

/* A disk's nodes; NULL = there is none. The toolstack writes them, in the back end's directory. */
struct traditional_disk {
    const char *frontend, *backend; /* the two directories; never NULL */
    const char *dev;                /* "hda", "xvda", "hdc:cdrom" */
    const char *params;             /* see traditional_image() */
    const char *type;               /* "phy", "file", "tap", "qdisk", "vbd" */
    const char *mode;               /* "r", "w" */
    const char *device_type;        /* "disk", "cdrom" */
};

/* The image that params and type name. */
struct traditional_image {
    const char *format; /* QEMU's name: "raw", "qcow2", ... */
    char *path;         /* malloc()ed; NULL: no medium */
};

/*
 * "FORMAT:PATH", or the path alone where the kernel's own back end serves the disk: relative to
 * /dev. 0, or -ENOMEM. An unknown format is handed on as it is.
 */
int traditional_image(const char *params, const char *type, struct traditional_image *out);

/*
 * Adds the disks that the guest gets as emulated ones: hda to hdd, or xvda to xvdd when there is no
 * hd* at all. All others are paravirtual only, but for sd*, which is refused: SCSI is not built.
 * 0, or -EINVAL (messages->error says why) or -ENOMEM; messages as in config_parse(), to be freed.
 */
int traditional_add_disks(struct config *config, const struct traditional_disk *disk, size_t count,
                          struct config_messages *messages);

/* xen_platform_pci=0: the cards behind the platform device move to the slots before theirs. */
void traditional_remove_platform(struct config *config);

/*
 * Whether a back end's directory, as a front end names it (the guest can write there), has the form
 * /local/domain/0/backend/KIND/domid/device. Of another domain's back ends the images are not here.
 */
bool traditional_is_backend(const char *path, unsigned domid, const char *device);

#endif
