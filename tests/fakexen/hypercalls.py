# SPDX-License-Identifier: GPL-2.0-or-later
"""A "device model" that tries the libraries by hand (see test_fakexen.py).

Prints "ok NAME" or "not ok NAME: why" for each check, to its log.
"""

import ctypes
import errno
import os
import select
import sys
import traceback

DOM = 1
LIBC = ctypes.CDLL(None)
libs = {name: ctypes.CDLL("lib%s" % so, use_errno=True) for name, so in
        (("dm", "xendevicemodel.so.1"), ("fm", "xenforeignmemory.so.1"), ("ev", "xenevtchn.so.1"),
         ("xs", "xenstore.so.4"), ("call", "xencall.so.1"), ("tool", "xentoolcore.so.1"))}
U16, U32, U64, PTR = ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p


def function(lib, name, result, *arguments):
    f = getattr(libs[lib], name)
    f.restype = result
    f.argtypes = arguments
    return f


INT = ctypes.c_int
dm_open = function("dm", "xendevicemodel_open", PTR, PTR, ctypes.c_uint)
fm_open = function("fm", "xenforeignmemory_open", PTR, PTR, ctypes.c_uint)
ev_open = function("ev", "xenevtchn_open", PTR, PTR, ctypes.c_uint)
call_open = function("call", "xencall_open", PTR, PTR, ctypes.c_uint)
xs_open = function("xs", "xs_open", PTR, ctypes.c_ulong)
create = function("dm", "xendevicemodel_create_ioreq_server", INT, PTR, U16, INT, PTR)
destroy = function("dm", "xendevicemodel_destroy_ioreq_server", INT, PTR, U16, U16)
info = function("dm", "xendevicemodel_get_ioreq_server_info", INT, PTR, U16, U16, PTR, PTR, PTR)
enable = function("dm", "xendevicemodel_set_ioreq_server_state", INT, PTR, U16, U16, INT)
map_range = function("dm", "xendevicemodel_map_io_range_to_ioreq_server", INT, PTR, U16, U16, INT,
                     U64, U64)
unmap_range = function("dm", "xendevicemodel_unmap_io_range_from_ioreq_server", INT, PTR, U16, U16,
                       INT, U64, U64)
track = function("dm", "xendevicemodel_track_dirty_vram", INT, PTR, U16, U64, U32, PTR)
modified = function("dm", "xendevicemodel_modified_memory", INT, PTR, U16, U64, U32)
relocate = function("dm", "xendevicemodel_relocate_memory", INT, PTR, U16, U32, U64, U64)
pin = function("dm", "xendevicemodel_pin_memory_cacheattr", INT, PTR, U16, U64, U64, U32)
isa = function("dm", "xendevicemodel_set_isa_irq_level", INT, PTR, U16, ctypes.c_uint8,
               ctypes.c_uint)
resource = function("fm", "xenforeignmemory_map_resource", PTR, PTR, U16, ctypes.c_uint,
                    ctypes.c_uint, ctypes.c_ulong, ctypes.c_ulong, PTR, INT, INT)
fm_map = function("fm", "xenforeignmemory_map", PTR, PTR, U32, INT, ctypes.c_size_t, PTR, PTR)
ev_fdopen = function("ev", "xenevtchn_fdopen", PTR, PTR, INT, ctypes.c_uint)
ev_fd = function("ev", "xenevtchn_fd", INT, PTR)
notify = function("ev", "xenevtchn_notify", INT, PTR, U32)
bind = function("ev", "xenevtchn_bind_interdomain", INT, PTR, U32, U32)
unbind = function("ev", "xenevtchn_unbind", INT, PTR, U32)
pending = function("ev", "xenevtchn_pending", INT, PTR)
unmask = function("ev", "xenevtchn_unmask", INT, PTR, U32)
alloc = function("call", "xencall_alloc_buffer", PTR, PTR, ctypes.c_size_t)
call2 = function("call", "xencall2", INT, PTR, ctypes.c_uint, U64, U64)
xs_begin = function("xs", "xs_transaction_start", U32, PTR)
xs_end = function("xs", "xs_transaction_end", ctypes.c_bool, PTR, U32, ctypes.c_bool)
xs_write = function("xs", "xs_write", ctypes.c_bool, PTR, U32, ctypes.c_char_p, ctypes.c_char_p,
                    ctypes.c_uint)
xs_read = function("xs", "xs_read", PTR, PTR, U32, ctypes.c_char_p, PTR)
xs_watch = function("xs", "xs_watch", ctypes.c_bool, PTR, ctypes.c_char_p, ctypes.c_char_p)
xs_check = function("xs", "xs_check_watch", ctypes.POINTER(ctypes.c_char_p), PTR)
restrict_all = function("tool", "xentoolcore_restrict_all", INT, U16)


class Reservation(ctypes.Structure):
    _fields_ = [("extents", U64), ("nr", U64), ("order", U32), ("flags", U32), ("domid", U16)]


class Param(ctypes.Structure):
    _fields_ = [("domid", U16), ("pad", U16), ("index", U32), ("value", U64)]


def touch(address):
    """Whether a byte can be read, asked of the kernel, which gets EFAULT where we would die."""
    r, w = os.pipe()
    done = LIBC.write(w, PTR(address), ctypes.c_size_t(1))
    os.close(r)
    os.close(w)
    return done == 1


def fails(code, rc):
    got = ctypes.get_errno()
    assert rc in (-1, None, 0) and got == code, "rc %r errno %s, expected %s" % (
        rc, errno.errorcode.get(got, got), errno.errorcode[code])


def new_server(dm, kind=2):
    sid = U16()
    assert create(dm, DOM, kind, ctypes.byref(sid)) == 0
    return sid.value


def ranges(dm):
    """overlap EEXIST, absent ENOENT, inclusive ends, merging, 256 ranges"""
    s = new_server(dm)
    assert map_range(dm, DOM, s, 0, 0x100, 0x10f) == 0
    fails(errno.EEXIST, map_range(dm, DOM, s, 0, 0x10f, 0x110))
    assert map_range(dm, DOM, s, 0, 0x110, 0x11f) == 0
    fails(errno.ENOENT, unmap_range(dm, DOM, s, 0, 0x11f, 0x120))
    assert unmap_range(dm, DOM, s, 0, 0x108, 0x117) == 0
    assert map_range(dm, DOM, s, 0, 0x108, 0x117) == 0
    fails(errno.EINVAL, map_range(dm, DOM, s, 0, 5, 4))
    fails(errno.ENOENT, map_range(dm, DOM, 7, 0, 4, 5))
    for i in range(255):
        assert map_range(dm, DOM, s, 0, 0x1000 + 4 * i, 0x1001 + 4 * i) == 0, i
    fails(errno.ENOMEM, map_range(dm, DOM, s, 0, 0x8000, 0x8000))
    fails(errno.ENOMEM, unmap_range(dm, DOM, s, 0, 0x105, 0x106))
    assert map_range(dm, DOM, s, 0, 0x1002, 0x1003) == 0
    assert map_range(dm, DOM, s, 0, 0x8000, 0x8000) == 0
    assert map_range(dm, DOM, s, 1, 0x100, 0x10f) == 0
    assert destroy(dm, DOM, s) == 0


def servers(dm):
    """eight servers, lowest free number"""
    ids = [new_server(dm) for _ in range(8)]
    assert ids == list(range(8)), ids
    fails(errno.ENOSPC, create(dm, DOM, 2, ctypes.byref(U16())))
    fails(errno.EINVAL, create(dm, DOM, 3, ctypes.byref(U16())))
    for s in ids:
        assert destroy(dm, DOM, s) == 0
    fails(errno.ENOENT, destroy(dm, DOM, 0))
    fails(errno.ESRCH, create(dm, DOM + 1, 2, ctypes.byref(U16())))


def pages(dm, fm):
    """resource and gfn way exclude each other; vp_eport is valid after enabling only"""
    s, port, gfn, buf = new_server(dm), U32(), U64(), U64()
    page = PTR()
    assert resource(fm, DOM, 0, s, 0, 2, ctypes.byref(page), 3, 0)
    assert info(dm, DOM, s, None, None, ctypes.byref(port)) == 0 and port.value
    fails(errno.EPERM, info(dm, DOM, s, ctypes.byref(gfn), ctypes.byref(buf), ctypes.byref(port)))
    eport = ctypes.cast(page.value + 4096 + 24, ctypes.POINTER(U32))
    assert eport[0] == 0
    assert enable(dm, DOM, s, 1) == 0 and eport[0] != 0 and eport[8] != 0
    again = PTR()
    assert resource(fm, DOM, 0, s, 1, 1, ctypes.byref(again), 3, 0)
    assert destroy(dm, DOM, s) == 0
    s = new_server(dm)
    assert info(dm, DOM, s, ctypes.byref(gfn), ctypes.byref(buf), ctypes.byref(port)) == 0
    assert 0xfeff0 <= gfn.value < 0xfeff8 and buf.value != gfn.value
    fails(errno.EPERM, resource(fm, DOM, 0, s, 0, 2, ctypes.byref(PTR()), 3, 0))
    frames, err = (U64 * 2)(gfn.value, buf.value), (INT * 2)()
    base = fm_map(fm, DOM, 3, 2, frames, err)
    assert base and list(err) == [0, 0]
    assert enable(dm, DOM, s, 1) == 0
    eport = ctypes.cast(base + 24, ctypes.POINTER(U32))
    assert eport[0] != 0
    assert fm_map(fm, DOM, 3, 2, frames, err) and list(err) == [-errno.EINVAL] * 2
    fails(errno.EINVAL, fm_map(fm, DOM, 3, 2, frames, None))
    assert destroy(dm, DOM, s) == 0


def events(dm, fm, ev):
    """binding raises an event, a bound port is refused, a delivered port stays masked"""
    s, page = new_server(dm), PTR()
    assert resource(fm, DOM, 0, s, 0, 2, ctypes.byref(page), 3, 0)
    assert enable(dm, DOM, s, 1) == 0
    port = ctypes.cast(page.value + 4096 + 24, ctypes.POINTER(U32))[0]
    local = bind(ev, DOM, port)
    assert local > 0 and pending(ev) == local
    fails(errno.EINVAL, bind(ev, DOM, port))
    fails(errno.EINVAL, bind(ev, DOM, 2000))
    assert unmask(ev, local) == 0
    fails(errno.EINVAL, unmask(ev, local + 1))
    assert unbind(ev, local) == 0
    again = bind(ev, DOM, port)
    assert again > 0 and pending(ev) == again
    assert destroy(dm, DOM, s) == 0


def memory(dm, fm, call):
    """populate, decrease, relocate, pins, dirty tracking through real structures"""
    buf = alloc(call, 4096)
    gfns = ctypes.cast(buf + 256, ctypes.POINTER(U64))
    r = Reservation.from_address(buf)
    for i in range(4):
        gfns[i] = 0x20000 + i
    r.extents, r.nr, r.order, r.flags, r.domid = buf + 256, 4, 0, 0, DOM
    assert call2(call, 12, 6, buf) == 4
    own = Reservation(buf + 256, 4, 0, 0, DOM)
    fails(errno.EFAULT, call2(call, 12, 6, ctypes.addressof(own)))
    err = (INT * 2)()
    base = fm_map(fm, DOM, 3, 2, (U64 * 2)(0x20000, 0x20009), err)
    assert base and list(err) == [0, -errno.EINVAL]
    assert touch(base) and not touch(base + 4096), "holes can be touched"
    ctypes.memset(base, 0x77, 4096)
    assert relocate(dm, DOM, 4, 0x20000, 0xf0000) == 0
    moved = fm_map(fm, DOM, 3, 1, (U64 * 1)(0xf0000), None)
    assert ctypes.string_at(moved, 4) == b"wwww"
    fails(errno.EINVAL, relocate(dm, DOM, 4, 0x20000, 0xf1000))
    assert relocate(dm, DOM, 0x10000, 0x20000, 0xf1000) == 0  # 16 bits: nothing moved
    assert pin(dm, DOM, 0xf0000, 0xf0003, 6) == 0
    fails(errno.EBUSY, pin(dm, DOM, 0xf0002, 0xf0008, 6))
    fails(errno.ENOENT, pin(dm, DOM, 0xf0000, 0xf0002, 0xffffffff))
    assert pin(dm, DOM, 0xf0000, 0xf0003, 0xffffffff) == 0
    bits = (ctypes.c_uint8 * 8)()
    assert track(dm, DOM, 0xf0000, 4, bits) == 0 and bits[0] & 15 == 15
    assert track(dm, DOM, 0xf0000, 4, bits) == 0 and bits[0] & 15 == 0
    fails(errno.EINVAL, track(dm, DOM, 0, 262145, bits))
    assert modified(dm, DOM, 0xf0000, 4) == 0
    fails(errno.EINVAL, modified(dm, DOM, 0xfefff, 1))  # the very last frame
    for i in range(4):
        gfns[i] = 0xf0000 + i
    r.nr = 4
    assert call2(call, 12, 1, buf) == 4
    assert call2(call, 12, 1, buf) == 0
    U16.from_address(buf + 2048).value = DOM
    top = call2(call, 12, 14, buf + 2048)
    assert top == 0xfefff, hex(top)
    p = Param.from_address(buf + 1024)
    p.domid, p.index, p.value = DOM, 14, 3
    assert call2(call, 34, 0, buf + 1024) == 0
    p.value = 0
    assert call2(call, 34, 1, buf + 1024) == 0 and p.value == 3
    many = alloc(call, 16384)
    wide = ctypes.cast(many, ctypes.POINTER(U64))
    for i in range(2048):
        wide[i] = 0x30000 + i
    r.extents, r.nr = many, 2048
    done, total = call2(call, 12, 6, buf), 0
    for _ in range(8):
        total += done
        for i in range(2048):
            wide[i] = 0x40000 + total + i
        done = call2(call, 12, 6, buf)
    assert done < 2048, "no limit of pages"


def lines(dm):
    """levels"""
    assert isa(dm, DOM, 4, 1) == 0 and isa(dm, DOM, 4, 0) == 0
    fails(errno.EINVAL, isa(dm, DOM, 16, 1))


def store(xs):
    """transactions and watches"""
    assert xs_write(xs, 0, b"/t/a", b"1", 1)
    t = xs_begin(xs)
    assert xs_write(xs, t, b"/t/a", b"2", 1)
    assert ctypes.string_at(xs_read(xs, 0, b"/t/a", None)) == b"1"
    assert xs_end(xs, t, False)
    assert ctypes.string_at(xs_read(xs, 0, b"/t/a", None)) == b"2"
    t = xs_begin(xs)
    assert xs_write(xs, t, b"/t/a", b"3", 1)
    assert xs_write(xs, 0, b"/t/b", b"9", 1)
    fails(errno.EAGAIN, int(xs_end(xs, t, False)))
    fails(errno.ENOENT, xs_read(xs, 0, b"/t/none", None))
    assert xs_watch(xs, b"/t", b"token")
    first = xs_check(xs)
    assert first and first[0] == b"/t" and first[1] == b"token"
    fails(errno.EAGAIN, xs_check(xs) or None)
    assert xs_write(xs, 0, b"/t/c", b"", 0)
    assert xs_check(xs)[0] == b"/t/c"
    assert xs_watch(xs, b"device-model/9", b"rel") and xs_check(xs)[0] == b"device-model/9"


def restricted(dm, call, xs):
    """after restrict_all: dm-ops go on for that domain, hypercalls and xenstore do not"""
    assert restrict_all(DOM) == 0
    assert isa(dm, DOM, 5, 1) == 0
    fails(errno.EPERM, isa(dm, DOM + 1, 5, 0))
    fails(errno.ENOTTY, call2(call, 34, 0, alloc(call, 64)))
    fails(errno.EBADF, xs_read(xs, 0, b"/t/a", None))


def check(function, *arguments):
    try:
        function(*arguments)
        print("ok %s: %s" % (function.__name__, function.__doc__))
    except Exception as e:
        where = traceback.extract_tb(e.__traceback__)[1].lineno if e.__traceback__.tb_next else 0
        print("not ok %s: line %d: %s" % (function.__name__, where, e or type(e).__name__))
    sys.stdout.flush()


def before_exec(dm, fm):
    """a channel that was opened to be kept stays bound when the process becomes another program"""
    kept, closed = ev_open(None, 1), ev_open(None, 0)
    ports = []
    for ev in (kept, closed):
        s, page = new_server(dm), PTR()
        assert resource(fm, DOM, 0, s, 0, 2, ctypes.byref(page), 3, 0)
        assert enable(dm, DOM, s, 1) == 0
        ports.append(ctypes.cast(page.value + 4096 + 24, ctypes.POINTER(U32))[0])
    local = bind(kept, DOM, ports[0])
    assert local > 0 and bind(closed, DOM, ports[1]) > 0
    os.execv(sys.executable, [sys.executable, __file__, str(ev_fd(kept)), str(local),
                              str(ports[0]), str(ports[1])])


def after_exec(ev, fd, local, kept, closed):
    """the kept channel goes on with its old port, the other one is free again"""
    fails(errno.EINVAL, ev_fdopen(None, os.open("/dev/null", os.O_RDONLY), 0))
    again = ev_fdopen(None, fd, 0)
    assert again, os.strerror(ctypes.get_errno())
    assert select.select([fd], [], [], 1)[0] and pending(again) == local
    assert unmask(again, local) == 0 and notify(again, local) == 0
    fails(errno.EINVAL, bind(ev, DOM, kept))
    assert bind(ev, DOM, closed) > 0


dm, fm, ev, call, xs = (dm_open(None, 0), fm_open(None, 0), ev_open(None, 0), call_open(None, 0),
                        xs_open(0))
if len(sys.argv) > 1:
    check(after_exec, ev, *map(int, sys.argv[1:]))
    sys.exit(0)
check(servers, dm)
check(ranges, dm)
check(pages, dm, fm)
check(events, dm, fm, ev)
check(lines, dm)
check(memory, dm, fm, call)
check(store, xs)
if os.fork() == 0:
    check(restricted, dm, call, xs)
    os._exit(0)
os.wait()
check(before_exec, dm, fm)
