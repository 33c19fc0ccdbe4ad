//! The binding to libext2fs: the one place of this crate with `unsafe`.
//!
//! [`Lib`] owns an open `ext2_filsys` and turns its calls into safe methods. What the calls
//! mean, and in which order they keep a file system valid, is the business of `fs.rs`.

#![allow(unsafe_code, reason = "the binding to a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use bootwright_disk::view::WriteView;

use super::inode::Inode;

type Errcode = c_long;
type Fs = *mut c_void;

/// Codes of libext2fs that are not failures to every caller (ext2_err.h).
const DIR_NO_SPACE: Errcode = 2_133_571_366;
const FILE_NOT_FOUND: Errcode = 2_133_571_404;
const EXTENT_NOT_FOUND: Errcode = 2_133_571_460;
const BLOCK_ALLOC_FAIL: Errcode = 2_133_571_400;
const INODE_ALLOC_FAIL: Errcode = 2_133_571_401;

const FALLOCATE_FORCE_INIT: c_int = 2;
const EXTENT_UNINIT: u32 = 2;
const DIRENT_CHANGED: c_int = 1;
const DIRENT_ABORT: c_int = 2;
const DIRENT_DOT_DOT_FILE: c_int = 2;
const DIRENT_OTHER_FILE: c_int = 3;

/// What libext2fs reads and writes through; the first two fields are `struct bw_io`.
#[repr(C)]
struct Io {
    read: extern "C" fn(*mut Io, u64, u64, *mut c_void) -> c_int,
    write: extern "C" fn(*mut Io, u64, u64, *const c_void) -> c_int,
    view: Arc<dyn WriteView>,
    /// Why the last callback failed, which the library cannot carry.
    trouble: Option<bootwright_disk::Error>,
}

#[repr(C)]
#[derive(Default)]
struct Extent {
    physical: u64,
    logical: u64,
    len: u32,
    flags: u32,
}

/// `struct ext2_dir_entry`.
#[repr(C)]
struct DirEntry {
    inode: u32,
    rec_len: u16,
    name_len: u16,
    name: [u8; 255],
}

type IterateCallback = extern "C" fn(
    dir: u32,
    kind: c_int,
    entry: *mut DirEntry,
    offset: c_int,
    block_size: c_int,
    buf: *mut c_char,
    context: *mut c_void,
) -> c_int;

type XattrCallback =
    extern "C" fn(name: *mut c_char, value: *mut c_char, len: usize, context: *mut c_void) -> c_int;

unsafe extern "C" {
    fn bw_open(io: *mut c_void, now: i64, fs: *mut Fs) -> Errcode;
    fn bw_free_blocks(fs: Fs) -> u64;
    fn bw_free_inodes(fs: Fs) -> u32;
    fn bw_used_blocks(fs: Fs, first: u64, count: u64, bits: *mut u8) -> Errcode;

    fn error_message(code: Errcode) -> *const c_char;
    fn ext2fs_flush(fs: Fs) -> Errcode;
    fn ext2fs_free(fs: Fs);
    fn ext2fs_read_inode_full(fs: Fs, ino: u32, inode: *mut c_void, len: c_int) -> Errcode;
    fn ext2fs_write_inode_full(fs: Fs, ino: u32, inode: *mut c_void, len: c_int) -> Errcode;
    fn ext2fs_new_inode(fs: Fs, dir: u32, mode: c_int, map: *mut c_void, ino: *mut u32) -> Errcode;
    fn ext2fs_write_new_inode(fs: Fs, ino: u32, inode: *mut c_void) -> Errcode;
    fn ext2fs_inode_alloc_stats2(fs: Fs, ino: u32, inuse: c_int, isdir: c_int);
    fn ext2fs_fallocate(
        fs: Fs,
        flags: c_int,
        ino: u32,
        inode: *mut c_void,
        goal: u64,
        start: u64,
        len: u64,
    ) -> Errcode;
    fn ext2fs_bmap2(
        fs: Fs,
        ino: u32,
        inode: *mut c_void,
        buf: *mut c_char,
        flags: c_int,
        block: u64,
        ret_flags: *mut c_int,
        physical: *mut u64,
    ) -> Errcode;
    fn ext2fs_extent_open2(fs: Fs, ino: u32, inode: *mut c_void, h: *mut *mut c_void) -> Errcode;
    fn ext2fs_extent_free(handle: *mut c_void);
    fn ext2fs_extent_goto(handle: *mut c_void, block: u64) -> Errcode;
    fn ext2fs_extent_get(handle: *mut c_void, flags: c_int, extent: *mut Extent) -> Errcode;
    fn ext2fs_free_ext_attr(fs: Fs, ino: u32, inode: *mut c_void) -> Errcode;
    fn ext2fs_punch(
        fs: Fs,
        ino: u32,
        inode: *mut c_void,
        buf: *mut c_char,
        start: u64,
        end: u64,
    ) -> Errcode;
    fn ext2fs_lookup(
        fs: Fs,
        dir: u32,
        name: *const c_char,
        len: c_int,
        buf: *mut c_char,
        ino: *mut u32,
    ) -> Errcode;
    fn ext2fs_link(fs: Fs, dir: u32, name: *const c_char, ino: u32, flags: c_int) -> Errcode;
    fn ext2fs_unlink(fs: Fs, dir: u32, name: *const c_char, ino: u32, flags: c_int) -> Errcode;
    fn ext2fs_expand_dir(fs: Fs, dir: u32) -> Errcode;
    fn ext2fs_mkdir(fs: Fs, parent: u32, ino: u32, name: *const c_char) -> Errcode;
    fn ext2fs_symlink(
        fs: Fs,
        parent: u32,
        ino: u32,
        name: *const c_char,
        target: *const c_char,
    ) -> Errcode;
    fn ext2fs_dir_iterate2(
        fs: Fs,
        dir: u32,
        flags: c_int,
        buf: *mut c_char,
        callback: IterateCallback,
        context: *mut c_void,
    ) -> Errcode;
    fn ext2fs_xattrs_open(fs: Fs, ino: u32, handle: *mut *mut c_void) -> Errcode;
    fn ext2fs_xattrs_close(handle: *mut *mut c_void) -> Errcode;
    fn ext2fs_xattrs_read(handle: *mut c_void) -> Errcode;
    fn ext2fs_xattrs_iterate(handle: *mut c_void, f: XattrCallback, ctx: *mut c_void) -> Errcode;
    fn ext2fs_xattr_set(
        handle: *mut c_void,
        key: *const c_char,
        value: *const c_void,
        len: usize,
    ) -> Errcode;
    fn ext2fs_xattr_remove(handle: *mut c_void, key: *const c_char) -> Errcode;
}

/// What the library refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No block or inode is free.
    NoSpace,
    /// The view could not be read or written.
    Disk(bootwright_disk::Error),
    /// Anything else, in the library's words.
    Other(String),
}

type Result<T> = std::result::Result<T, Refusal>;

/// An open file system.
pub(super) struct Lib {
    fs: NonNull<c_void>,
    /// Lives as long as `fs`, which holds its address.
    io: NonNull<Io>,
}

extern "C" fn read(io: *mut Io, offset: u64, len: u64, buf: *mut c_void) -> c_int {
    // SAFETY: the library hands back the pointer that `bw_open` got, which is valid until
    // `Lib` is dropped, and a buffer of `len` bytes.
    let (io, buf) =
        unsafe { (&mut *io, std::slice::from_raw_parts_mut(buf.cast::<u8>(), len as usize)) };
    report(&mut io.trouble, io.view.read_at(offset, buf))
}

extern "C" fn write(io: *mut Io, offset: u64, len: u64, buf: *const c_void) -> c_int {
    // SAFETY: as in `read`.
    let (io, buf) =
        unsafe { (&mut *io, std::slice::from_raw_parts(buf.cast::<u8>(), len as usize)) };
    report(&mut io.trouble, io.view.write_at(offset, buf))
}

fn report(
    trouble: &mut Option<bootwright_disk::Error>,
    outcome: bootwright_disk::Result<()>,
) -> c_int {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            *trouble = Some(error);
            1
        }
    }
}

fn c_name(name: &[u8]) -> Result<CString> {
    CString::new(name).map_err(|_| Refusal::Other("a name holds a NUL byte".to_owned()))
}

impl Lib {
    /// Opens the file system on `view` for writing. `now` is the time of every change.
    pub(super) fn open(view: Arc<dyn WriteView>, now: i64) -> Result<Self> {
        let io = Box::new(Io { read, write, view, trouble: None });
        let io = NonNull::from(Box::leak(io));
        let mut fs = ptr::null_mut();
        // SAFETY: `io` is valid and `fs` is a place for the result.
        let code = unsafe { bw_open(io.as_ptr().cast(), now, &raw mut fs) };
        // On failure the library has let go of `io`; `Lib` must not free `fs`.
        match NonNull::new(fs).filter(|_| code == 0) {
            Some(fs) => Ok(Self { fs, io }),
            None => {
                // SAFETY: `io` came from `Box::leak` above and nobody else has it now.
                let io = unsafe { Box::from_raw(io.as_ptr()) };
                Err(explain(code, io.trouble))
            }
        }
    }

    fn fs(&self) -> Fs {
        self.fs.as_ptr()
    }

    fn check(&mut self, code: Errcode) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: `io` is valid as long as `self`, and no call into the library is running.
        let trouble = unsafe { self.io.as_mut() }.trouble.take();
        Err(explain(code, trouble))
    }

    /// Writes bitmaps, descriptors and the super block.
    pub(super) fn flush(&mut self) -> Result<()> {
        // SAFETY: `fs` is open.
        let code = unsafe { ext2fs_flush(self.fs()) };
        self.check(code)
    }

    pub(super) fn free_blocks(&self) -> u64 {
        // SAFETY: `fs` is open.
        unsafe { bw_free_blocks(self.fs()) }
    }

    pub(super) fn free_inodes(&self) -> u32 {
        // SAFETY: `fs` is open.
        unsafe { bw_free_inodes(self.fs()) }
    }

    /// The block bitmap of `count` blocks from `first`, one bit each, lowest bit first.
    pub(super) fn used_blocks(&mut self, first: u64, count: u64) -> Result<Vec<u8>> {
        let mut bits = vec![0; count.div_ceil(8) as usize];
        // SAFETY: `bits` has room for `count` bits.
        let code = unsafe { bw_used_blocks(self.fs(), first, count, bits.as_mut_ptr()) };
        self.check(code).map(|()| bits)
    }

    pub(super) fn read_inode(&mut self, ino: u32) -> Result<Inode> {
        let mut inode = Inode::default();
        let (at, len) = inode.raw();
        // SAFETY: `at` has room for `len` bytes.
        let code = unsafe { ext2fs_read_inode_full(self.fs(), ino, at.cast(), len) };
        self.check(code).map(|()| inode)
    }

    pub(super) fn write_inode(&mut self, ino: u32, inode: &mut Inode) -> Result<()> {
        let (at, len) = inode.raw();
        // SAFETY: `at` holds `len` bytes.
        let code = unsafe { ext2fs_write_inode_full(self.fs(), ino, at.cast(), len) };
        self.check(code)
    }

    /// A free inode near `dir`; not marked as used yet.
    pub(super) fn new_inode(&mut self, dir: u32, mode: u32) -> Result<u32> {
        let mut ino = 0;
        // SAFETY: a null map stands for the file system's own.
        let code = unsafe {
            ext2fs_new_inode(self.fs(), dir, mode as c_int, ptr::null_mut(), &raw mut ino)
        };
        self.check(code).map(|()| ino)
    }

    /// Writes an inode that was free, and marks it as used.
    pub(super) fn write_new_inode(&mut self, ino: u32, inode: &mut Inode) -> Result<()> {
        // SAFETY: the library reads the first 128 bytes of the inode.
        let code = unsafe { ext2fs_write_new_inode(self.fs(), ino, inode.raw().0.cast()) };
        self.check(code)?;
        self.count_inode(ino, 1, false);
        Ok(())
    }

    /// Marks an inode as used (+1) or free (-1).
    pub(super) fn count_inode(&mut self, ino: u32, by: i32, is_dir: bool) {
        // SAFETY: `fs` is open and `ino` is one of its inodes.
        unsafe { ext2fs_inode_alloc_stats2(self.fs(), ino, by, c_int::from(is_dir)) }
    }

    /// Gives an inode an empty extent tree.
    pub(super) fn start_extents(&mut self, ino: u32, inode: &mut Inode) -> Result<()> {
        self.extents(ino, inode).map(drop)
    }

    fn extents(&mut self, ino: u32, inode: &mut Inode) -> Result<Extents> {
        let mut handle = ptr::null_mut();
        // SAFETY: the inode outlives the handle: callers drop the handle first.
        let code =
            unsafe { ext2fs_extent_open2(self.fs(), ino, inode.raw().0.cast(), &raw mut handle) };
        self.check(code).map(|()| Extents(handle))
    }

    /// Allocates the first `blocks` blocks of a file, initialised, content undefined.
    pub(super) fn allocate(&mut self, ino: u32, inode: &mut Inode, blocks: u64) -> Result<()> {
        let at = inode.raw().0.cast();
        // SAFETY: `at` is the inode of `ino`; a goal of all ones lets the library choose.
        let code = unsafe {
            ext2fs_fallocate(self.fs(), FALLOCATE_FORCE_INIT, ino, at, u64::MAX, 0, blocks)
        };
        self.check(code)
    }

    /// Where a block of a file lies and how many follow it there; `None` for a hole.
    pub(super) fn map(
        &mut self,
        ino: u32,
        inode: &mut Inode,
        logical: u64,
    ) -> Result<(Option<u64>, u64)> {
        if !inode.has_extents() {
            return self.map_classic(ino, inode, logical);
        }
        let handle = self.extents(ino, inode)?;
        let mut extent = Extent::default();
        // SAFETY: the handle is open and `extent` is a place for the result.
        let code = unsafe {
            match ext2fs_extent_goto(handle.0, logical) {
                0 => ext2fs_extent_get(handle.0, 0, &raw mut extent),
                code => code,
            }
        };
        drop(handle);
        if code == EXTENT_NOT_FOUND {
            return Ok((None, 1));
        }
        self.check(code)?;
        let skip = logical - extent.logical;
        let found = (extent.flags & EXTENT_UNINIT == 0).then_some(extent.physical + skip);
        Ok((found, u64::from(extent.len) - skip))
    }

    fn map_classic(
        &mut self,
        ino: u32,
        inode: &mut Inode,
        logical: u64,
    ) -> Result<(Option<u64>, u64)> {
        let mut physical = 0;
        let (at, null) = (inode.raw().0.cast(), ptr::null_mut());
        // SAFETY: `at` is the inode of `ino`; the library takes its own buffer for null.
        let code = unsafe {
            ext2fs_bmap2(self.fs(), ino, at, null, 0, logical, ptr::null_mut(), &raw mut physical)
        };
        self.check(code)?;
        Ok(((physical != 0).then_some(physical), 1))
    }

    /// Lets go of an inode's extended attribute block.
    pub(super) fn free_xattr_block(&mut self, ino: u32, inode: &mut Inode) -> Result<()> {
        // SAFETY: `raw` gives the inode in the layout of `struct ext2_inode_large`.
        let code = unsafe { ext2fs_free_ext_attr(self.fs(), ino, inode.raw().0.cast()) };
        self.check(code)
    }

    /// Frees all blocks of an inode.
    pub(super) fn free_blocks_of(&mut self, ino: u32, inode: &mut Inode) -> Result<()> {
        let at = inode.raw().0.cast();
        // SAFETY: `at` is the inode of `ino`; the library takes its own buffer for null.
        let code = unsafe { ext2fs_punch(self.fs(), ino, at, ptr::null_mut(), 0, u64::MAX) };
        self.check(code)
    }

    pub(super) fn lookup(&mut self, dir: u32, name: &[u8]) -> Result<Option<u32>> {
        let mut ino = 0;
        let len = name.len() as c_int;
        // SAFETY: `name` has `len` bytes; the library takes its own buffer for null.
        let code = unsafe {
            ext2fs_lookup(self.fs(), dir, name.as_ptr().cast(), len, ptr::null_mut(), &raw mut ino)
        };
        match code {
            FILE_NOT_FOUND => Ok(None),
            code => self.check(code).map(|()| Some(ino)),
        }
    }

    /// Adds a name to a directory, which grows if it has to. `kind` is the EXT2_FT_ code.
    pub(super) fn link(&mut self, dir: u32, name: &[u8], ino: u32, kind: u8) -> Result<()> {
        let name = c_name(name)?;
        // SAFETY: `name` is a C string, `dir` a directory.
        let link = || unsafe { ext2fs_link(self.fs(), dir, name.as_ptr(), ino, kind.into()) };
        let mut code = link();
        if code == DIR_NO_SPACE {
            // SAFETY: as above.
            code = match unsafe { ext2fs_expand_dir(self.fs(), dir) } {
                0 => link(),
                code => code,
            };
        }
        self.check(code)
    }

    pub(super) fn unlink(&mut self, dir: u32, name: &[u8], ino: u32) -> Result<()> {
        let name = c_name(name)?;
        // SAFETY: `name` is a C string, `dir` a directory.
        let code = unsafe { ext2fs_unlink(self.fs(), dir, name.as_ptr(), ino, 0) };
        self.check(code)
    }

    /// Makes an empty directory of a free inode. Counts its `..` as a link to `parent`.
    pub(super) fn mkdir(&mut self, parent: u32, ino: u32) -> Result<()> {
        // SAFETY: without a name nothing is linked.
        let code = unsafe { ext2fs_mkdir(self.fs(), parent, ino, ptr::null()) };
        self.check(code)
    }

    /// Makes a symlink of a free inode.
    pub(super) fn symlink(&mut self, parent: u32, ino: u32, target: &[u8]) -> Result<()> {
        let target = c_name(target)?;
        // SAFETY: without a name nothing is linked; `target` is a C string.
        let code = unsafe { ext2fs_symlink(self.fs(), parent, ino, ptr::null(), target.as_ptr()) };
        self.check(code)
    }

    fn iterate(&mut self, dir: u32, callback: IterateCallback, context: *mut c_void) -> Result<()> {
        // SAFETY: `context` is what `callback` expects; both callers see to that.
        let code =
            unsafe { ext2fs_dir_iterate2(self.fs(), dir, 0, ptr::null_mut(), callback, context) };
        self.check(code)
    }

    /// Names and inodes in a directory, without `.` and `..`, in the order on disk.
    pub(super) fn list(&mut self, dir: u32) -> Result<Vec<(Vec<u8>, u32)>> {
        extern "C" fn entry(
            _dir: u32,
            kind: c_int,
            entry: *mut DirEntry,
            _offset: c_int,
            _block_size: c_int,
            _buf: *mut c_char,
            context: *mut c_void,
        ) -> c_int {
            if kind == DIRENT_OTHER_FILE {
                // SAFETY: `context` is the vector below; the entry has at least the bytes of
                // its name, whose length the library has checked.
                unsafe {
                    let names = &mut *context.cast::<Vec<(Vec<u8>, u32)>>();
                    let len = usize::from((*entry).name_len & 0xff);
                    let name = std::slice::from_raw_parts((&raw const (*entry).name).cast(), len);
                    names.push((name.to_vec(), (*entry).inode));
                }
            }
            0
        }
        let mut names: Vec<(Vec<u8>, u32)> = Vec::new();
        self.iterate(dir, entry, (&raw mut names).cast())?;
        Ok(names)
    }

    /// Points the `..` of a directory to another parent.
    pub(super) fn set_parent(&mut self, dir: u32, mut parent: u32) -> Result<()> {
        extern "C" fn entry(
            _dir: u32,
            kind: c_int,
            entry: *mut DirEntry,
            _offset: c_int,
            _block_size: c_int,
            _buf: *mut c_char,
            context: *mut c_void,
        ) -> c_int {
            if kind != DIRENT_DOT_DOT_FILE {
                return 0;
            }
            // SAFETY: `context` is the number below and `entry` a whole entry.
            unsafe { (*entry).inode = *context.cast::<u32>() };
            DIRENT_CHANGED | DIRENT_ABORT
        }
        self.iterate(dir, entry, (&raw mut parent).cast())
    }

    fn xattr_handle(&mut self, ino: u32) -> Result<Xattrs> {
        let mut handle = ptr::null_mut();
        // SAFETY: `handle` is a place for the result.
        let code = unsafe { ext2fs_xattrs_open(self.fs(), ino, &raw mut handle) };
        self.check(code)?;
        let handle = Xattrs(handle);
        // SAFETY: the handle is open.
        let code = unsafe { ext2fs_xattrs_read(handle.0) };
        self.check(code).map(|()| handle)
    }

    /// The extended attributes of an inode, ACLs in the kernel's form.
    pub(super) fn xattrs(&mut self, ino: u32) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        extern "C" fn entry(
            name: *mut c_char,
            value: *mut c_char,
            len: usize,
            context: *mut c_void,
        ) -> c_int {
            // SAFETY: `context` is the vector below, `name` a C string, `value` of `len` bytes.
            unsafe {
                let all = &mut *context.cast::<Vec<(Vec<u8>, Vec<u8>)>>();
                let value = match len {
                    0 => Vec::new(),
                    _ => std::slice::from_raw_parts(value.cast::<u8>(), len).to_vec(),
                };
                all.push((CStr::from_ptr(name).to_bytes().to_vec(), value));
            }
            0
        }
        let handle = self.xattr_handle(ino)?;
        let mut all: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        // SAFETY: the callback gets the vector it expects.
        let code = unsafe { ext2fs_xattrs_iterate(handle.0, entry, (&raw mut all).cast()) };
        drop(handle);
        self.check(code).map(|()| all)
    }

    /// Sets an extended attribute, or removes it.
    pub(super) fn set_xattr(&mut self, ino: u32, name: &[u8], value: Option<&[u8]>) -> Result<()> {
        let name = c_name(name)?;
        let handle = self.xattr_handle(ino)?;
        // SAFETY: the handle is open; `value` has the length given.
        let code = unsafe {
            match value {
                Some(value) => {
                    ext2fs_xattr_set(handle.0, name.as_ptr(), value.as_ptr().cast(), value.len())
                }
                None => ext2fs_xattr_remove(handle.0, name.as_ptr()),
            }
        };
        drop(handle);
        self.check(code)
    }
}

impl Drop for Lib {
    fn drop(&mut self) {
        // SAFETY: both were valid since `open` and are not used again.
        unsafe {
            ext2fs_free(self.fs.as_ptr());
            drop(Box::from_raw(self.io.as_ptr()));
        }
    }
}

/// An open extent handle.
struct Extents(*mut c_void);

impl Drop for Extents {
    fn drop(&mut self) {
        // SAFETY: the handle came from `ext2fs_extent_open2`.
        unsafe { ext2fs_extent_free(self.0) }
    }
}

/// An open handle of extended attributes. What was set is written at once, not here.
struct Xattrs(*mut c_void);

impl Drop for Xattrs {
    fn drop(&mut self) {
        // SAFETY: the handle came from `ext2fs_xattrs_open`.
        unsafe { ext2fs_xattrs_close(&raw mut self.0) };
    }
}

fn explain(code: Errcode, trouble: Option<bootwright_disk::Error>) -> Refusal {
    if let Some(error) = trouble {
        return Refusal::Disk(error);
    }
    if matches!(code, BLOCK_ALLOC_FAIL | INODE_ALLOC_FAIL) {
        return Refusal::NoSpace;
    }
    // SAFETY: the library gives a C string for every code.
    let text = unsafe { CStr::from_ptr(error_message(code)) };
    Refusal::Other(text.to_string_lossy().into_owned())
}
