//! The binding to libext2fs: the one place of this crate with `unsafe`.
//!
//! [`Lib`] owns an open `ext2_filsys` and turns its calls into safe methods. What the calls
//! mean, and in which order they keep a file system valid, is the business of `fs.rs`.

#![allow(unsafe_code, reason = "the binding to a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Once};

use bootwright_disk::view::{WriteView, read_vec};

use super::inode::Inode;
use super::probe::Super;

type Errcode = c_long;
type Fs = *mut c_void;

/// Codes of libext2fs that are not failures to every caller (ext2_err.h).
const DIR_NO_SPACE: Errcode = 2_133_571_366;
const BLOCK_ALLOC_FAIL: Errcode = 2_133_571_400;
const INODE_ALLOC_FAIL: Errcode = 2_133_571_401;
const ENOENT: Errcode = 2;

const FALLOCATE_FORCE_INIT: c_int = 2;

/// Blocks that one operation may read. No directory and no file of an image needs nearly as
/// many; only what leads back into itself does.
const MAX_READS: u64 = 1 << 20;
/// Names in one directory. The kernel stops at some ten million.
const MAX_NAMES: usize = 1 << 21;
/// Blocks allocated by one operation: the most that one extent holds.
const PIECE: u64 = 1 << 15;

/// What libext2fs reads and writes through; the first four fields are `struct bw_io`.
#[repr(C)]
struct Io {
    read: extern "C" fn(*mut Io, u64, u64, *mut c_void) -> c_int,
    write: extern "C" fn(*mut Io, u64, u64, *const c_void) -> c_int,
    zero: extern "C" fn(*mut Io, u64, u64) -> c_int,
    freed: extern "C" fn(*mut Io, u64),
    view: Arc<dyn WriteView>,
    /// Why the last callback failed, which the library cannot carry.
    trouble: Option<Refusal>,
    /// What is left of [`MAX_READS`].
    reads_left: u64,
    /// Runs of blocks that were let go of: first one and number.
    freed_runs: Vec<(u64, u64)>,
}

/// Gets the context, a name's bytes and their number, and the inode. Not 0 ends the list.
type NameCallback = extern "C" fn(*mut c_void, *const u8, c_int, u32) -> c_int;
/// An inode in the layout of `struct ext2_inode_large`.
type RawInode = *mut c_void;

// One line each: a table to compare with ext2fs.h and shim.c.
#[rustfmt::skip]
unsafe extern "C" {
    fn bw_init();
    fn bw_open(io: *mut c_void, now: i64, fs: *mut Fs) -> Errcode;
    fn bw_is_changed(fs: Fs) -> c_int;
    fn bw_free_blocks(fs: Fs) -> u64;
    fn bw_free_inodes(fs: Fs) -> u32;
    fn bw_find_block(fs: Fs, start: u64, end: u64, in_use: c_int, found: *mut u64) -> Errcode;
    fn bw_new_block(fs: Fs, ino: u32, inode: RawInode, block: *mut u64) -> Errcode;
    fn bw_map(fs: Fs, ino: u32, inode: RawInode, logical: u64, physical: *mut u64, run: *mut u64) -> Errcode;
    fn bw_list(fs: Fs, dir: u32, callback: NameCallback, context: *mut c_void) -> Errcode;
    fn bw_set_parent(fs: Fs, dir: u32, parent: u32) -> Errcode;

    fn error_message(code: Errcode) -> *const c_char;
    fn ext2fs_flush(fs: Fs) -> Errcode;
    fn ext2fs_free(fs: Fs);
    fn ext2fs_read_inode_full(fs: Fs, ino: u32, inode: RawInode, len: c_int) -> Errcode;
    fn ext2fs_write_inode_full(fs: Fs, ino: u32, inode: RawInode, len: c_int) -> Errcode;
    fn ext2fs_new_inode(fs: Fs, dir: u32, mode: c_int, map: *mut c_void, ino: *mut u32) -> Errcode;
    fn ext2fs_write_new_inode(fs: Fs, ino: u32, inode: RawInode) -> Errcode;
    fn ext2fs_inode_alloc_stats2(fs: Fs, ino: u32, in_use: c_int, is_dir: c_int);
    fn ext2fs_fallocate(fs: Fs, flags: c_int, ino: u32, inode: RawInode, goal: u64, start: u64, len: u64) -> Errcode;
    fn ext2fs_free_ext_attr(fs: Fs, ino: u32, inode: RawInode) -> Errcode;
    fn ext2fs_read_ext_attr3(fs: Fs, block: u64, buf: *mut c_void, ino: u32) -> Errcode;
    fn ext2fs_write_ext_attr3(fs: Fs, block: u64, buf: *mut c_void, ino: u32) -> Errcode;
    fn ext2fs_punch(fs: Fs, ino: u32, inode: RawInode, buf: *mut c_char, start: u64, end: u64) -> Errcode;
    fn ext2fs_read_dir_block4(fs: Fs, block: u64, buf: *mut c_void, flags: c_int, dir: u32) -> Errcode;
    fn ext2fs_write_dir_block4(fs: Fs, block: u64, buf: *mut c_void, flags: c_int, dir: u32) -> Errcode;
    fn ext2fs_link(fs: Fs, dir: u32, name: *const c_char, ino: u32, flags: c_int) -> Errcode;
    fn ext2fs_unlink(fs: Fs, dir: u32, name: *const c_char, ino: u32, flags: c_int) -> Errcode;
    fn ext2fs_expand_dir(fs: Fs, dir: u32) -> Errcode;
    fn ext2fs_mkdir(fs: Fs, parent: u32, ino: u32, name: *const c_char) -> Errcode;
    fn ext2fs_symlink(fs: Fs, parent: u32, ino: u32, name: *const c_char, target: *const c_char) -> Errcode;
}

/// What the library refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No block or inode is free.
    NoSpace,
    /// The view could not be read or written.
    Disk(bootwright_disk::Error),
    /// Anything else, in words.
    Other(String),
}

type Result<T> = std::result::Result<T, Refusal>;

/// An open file system.
pub(super) struct Lib {
    fs: NonNull<c_void>,
    /// Lives as long as `fs`, which holds its address.
    io: NonNull<Io>,
    inode_size: usize,
    block_size: usize,
}

extern "C" fn read(io: *mut Io, offset: u64, len: u64, buf: *mut c_void) -> c_int {
    // SAFETY: the library hands back the pointer that `bw_open` got, which is valid until
    // `Lib` is dropped, and a buffer of `len` bytes.
    let (io, buf) =
        unsafe { (&mut *io, std::slice::from_raw_parts_mut(buf.cast::<u8>(), len as usize)) };
    match io.reads_left.checked_sub(1) {
        Some(left) => io.reads_left = left,
        None => {
            let problem = "its structures lead back into themselves";
            io.trouble = Some(Refusal::Other(problem.to_owned()));
            return 1;
        }
    }
    report(&mut io.trouble, io.view.read_at(offset, buf))
}

extern "C" fn write(io: *mut Io, offset: u64, len: u64, buf: *const c_void) -> c_int {
    // SAFETY: as in `read`.
    let (io, buf) =
        unsafe { (&mut *io, std::slice::from_raw_parts(buf.cast::<u8>(), len as usize)) };
    // The library writes whole bitmaps and descriptors. What is the same must not make a
    // cluster of the base differ.
    if read_vec(&io.view, offset, len).is_ok_and(|old| old == buf) {
        return 0;
    }
    report(&mut io.trouble, io.view.write_at(offset, buf))
}

extern "C" fn zero(io: *mut Io, offset: u64, len: u64) -> c_int {
    // SAFETY: as in `read`.
    let io = unsafe { &mut *io };
    report(&mut io.trouble, io.view.discard(offset, len))
}

extern "C" fn freed(io: *mut Io, block: u64) {
    // SAFETY: as in `read`.
    let io = unsafe { &mut *io };
    match io.freed_runs.last_mut() {
        Some((first, count)) if *first + *count == block => *count += 1,
        _ => io.freed_runs.push((block, 1)),
    }
}

fn report(trouble: &mut Option<Refusal>, outcome: bootwright_disk::Result<()>) -> c_int {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            *trouble = Some(Refusal::Disk(error));
            1
        }
    }
}

fn c_name(name: &[u8]) -> Result<CString> {
    CString::new(name).map_err(|_| Refusal::Other("a name holds a NUL byte".to_owned()))
}

impl Lib {
    /// Opens the file system on `view` for writing. `now` is the time of every change.
    pub(super) fn open(view: Arc<dyn WriteView>, now: i64, found: &Super) -> Result<Self> {
        static INIT: Once = Once::new();
        // SAFETY: called once, before anything else of the library.
        INIT.call_once(|| unsafe { bw_init() });
        let io = Box::new(Io {
            read,
            write,
            zero,
            freed,
            view,
            trouble: None,
            reads_left: MAX_READS,
            freed_runs: Vec::new(),
        });
        let io = NonNull::from(Box::leak(io));
        let mut fs = ptr::null_mut();
        // SAFETY: `io` is valid and `fs` is a place for the result.
        let code = unsafe { bw_open(io.as_ptr().cast(), now, &raw mut fs) };
        // On failure the library has let go of `io`; `Lib` must not free `fs`.
        match NonNull::new(fs).filter(|_| code == 0) {
            Some(fs) => {
                let (inode_size, block_size) = (found.inode_size, found.block_size);
                Ok(Self {
                    fs,
                    io,
                    inode_size: inode_size as usize,
                    block_size: block_size as usize,
                })
            }
            None => {
                // SAFETY: `io` came from `Box::leak` above and nobody else has it now.
                let io = unsafe { Box::from_raw(io.as_ptr()) };
                Err(explain(code, io.trouble))
            }
        }
    }

    /// Runs an operation of the library, which gives a code.
    fn code(&mut self, operation: impl FnOnce(Fs) -> Errcode) -> Errcode {
        // SAFETY: `io` is valid as long as `self`, and no call into the library is running.
        let io = unsafe { self.io.as_mut() };
        io.reads_left = MAX_READS;
        io.trouble = None;
        operation(self.fs.as_ptr())
    }

    fn check(&mut self, code: Errcode) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: as in `code`.
        let trouble = unsafe { self.io.as_mut() }.trouble.take();
        Err(explain(code, trouble))
    }

    fn call(&mut self, operation: impl FnOnce(Fs) -> Errcode) -> Result<()> {
        let code = self.code(operation);
        self.check(code)
    }

    /// Whether anything was changed that is on disk or has to get there.
    pub(super) fn is_changed(&self) -> bool {
        // SAFETY: `fs` is open.
        unsafe { bw_is_changed(self.fs.as_ptr()) != 0 }
    }

    /// Writes bitmaps, descriptors and the super block.
    pub(super) fn flush(&mut self) -> Result<()> {
        // SAFETY: `fs` is open.
        self.call(|fs| unsafe { ext2fs_flush(fs) })
    }

    pub(super) fn free_blocks(&self) -> u64 {
        // SAFETY: `fs` is open.
        unsafe { bw_free_blocks(self.fs.as_ptr()) }
    }

    pub(super) fn free_inodes(&self) -> u32 {
        // SAFETY: `fs` is open.
        unsafe { bw_free_inodes(self.fs.as_ptr()) }
    }

    /// Runs of blocks that were let go of since the file system was opened. Some may be in
    /// use again.
    pub(super) fn freed_runs(&self) -> &[(u64, u64)] {
        // SAFETY: as in `code`; the borrow of `self` keeps the library from adding to it.
        &unsafe { self.io.as_ref() }.freed_runs
    }

    /// The first block of `start..end` that is in use, or that is not; `end` if there is
    /// none.
    pub(super) fn find_block(&mut self, start: u64, end: u64, in_use: bool) -> Result<u64> {
        if start >= end {
            return Ok(end);
        }
        let mut found = 0;
        // SAFETY: `found` is a place for the result.
        let find = |fs| unsafe { bw_find_block(fs, start, end - 1, in_use.into(), &raw mut found) };
        match self.code(find) {
            ENOENT => Ok(end),
            code => self.check(code).map(|()| found),
        }
    }

    pub(super) fn read_inode(&mut self, ino: u32) -> Result<Inode> {
        let mut inode = Inode::new(self.inode_size);
        let (at, len) = inode.raw();
        // SAFETY: `at` has room for `len` bytes.
        self.call(|fs| unsafe { ext2fs_read_inode_full(fs, ino, at.cast(), len) })?;
        Ok(inode)
    }

    pub(super) fn write_inode(&mut self, ino: u32, inode: &mut Inode) -> Result<()> {
        let (at, len) = inode.raw();
        // SAFETY: `at` holds `len` bytes.
        self.call(|fs| unsafe { ext2fs_write_inode_full(fs, ino, at.cast(), len) })
    }

    /// A free inode near `dir`; not marked as used yet.
    pub(super) fn new_inode(&mut self, dir: u32, mode: u32) -> Result<u32> {
        let (mut ino, mode) = (0, mode as c_int);
        // SAFETY: a null map stands for the file system's own.
        let new = |fs| unsafe { ext2fs_new_inode(fs, dir, mode, ptr::null_mut(), &raw mut ino) };
        self.call(new).map(|()| ino)
    }

    /// Writes an inode that was free, and marks it as used.
    pub(super) fn write_new_inode(&mut self, ino: u32, inode: &mut Inode) -> Result<()> {
        let at = inode.raw().0.cast();
        // SAFETY: the library reads the first 128 bytes of the inode.
        self.call(|fs| unsafe { ext2fs_write_new_inode(fs, ino, at) })?;
        self.count_inode(ino, 1, false);
        Ok(())
    }

    /// Marks an inode as used (+1) or free (-1).
    pub(super) fn count_inode(&mut self, ino: u32, by: i32, is_dir: bool) {
        // SAFETY: `fs` is open and `ino` is one of its inodes.
        unsafe { ext2fs_inode_alloc_stats2(self.fs.as_ptr(), ino, by, c_int::from(is_dir)) }
    }

    /// Allocates the first `blocks` blocks of a file, initialised, content undefined.
    pub(super) fn allocate(&mut self, ino: u32, inode: &mut Inode, blocks: u64) -> Result<()> {
        let (flags, at) = (FALLOCATE_FORCE_INIT, inode.raw().0.cast());
        let mut start = 0;
        while start < blocks {
            let len = PIECE.min(blocks - start);
            // SAFETY: `at` is the inode of `ino`; with a goal of all ones the library chooses.
            self.call(|fs| unsafe { ext2fs_fallocate(fs, flags, ino, at, u64::MAX, start, len) })?;
            start += len;
        }
        Ok(())
    }

    /// Where a block of a file lies and how many follow it there; `None` for a hole.
    pub(super) fn map(
        &mut self,
        ino: u32,
        inode: &mut Inode,
        logical: u64,
    ) -> Result<(Option<u64>, u64)> {
        let (mut block, mut run, at) = (0, 0, inode.raw().0.cast());
        // SAFETY: `at` is the inode of `ino`; `block` and `run` are places for results.
        self.call(|fs| unsafe { bw_map(fs, ino, at, logical, &raw mut block, &raw mut run) })?;
        Ok(((block != 0).then_some(block), run.max(1)))
    }

    /// Lets go of an inode's block of extended attributes, if it has one.
    pub(super) fn free_xattr_block(&mut self, ino: u32, inode: &mut Inode) -> Result<()> {
        let at = inode.raw().0.cast();
        // SAFETY: `at` is an inode with all the fields of `struct ext2_inode_large`.
        self.call(|fs| unsafe { ext2fs_free_ext_attr(fs, ino, at) })
    }

    /// Allocates a block near an inode.
    pub(super) fn new_block(&mut self, ino: u32, inode: &mut Inode) -> Result<u64> {
        let (mut block, at) = (0, inode.raw().0.cast());
        // SAFETY: `at` is the inode of `ino` and `block` a place for the result.
        self.call(|fs| unsafe { bw_new_block(fs, ino, at, &raw mut block) }).map(|()| block)
    }

    /// Reads a block of extended attributes, whose header the library checks.
    pub(super) fn read_xattr_block(&mut self, ino: u32, block: u64) -> Result<Vec<u8>> {
        let mut buf = vec![0; self.block_size];
        let at = buf.as_mut_ptr().cast();
        // SAFETY: `at` has room for a block.
        self.call(|fs| unsafe { ext2fs_read_ext_attr3(fs, block, at, ino) }).map(|()| buf)
    }

    /// Writes a block of extended attributes with its checksum.
    pub(super) fn write_xattr_block(&mut self, ino: u32, block: u64, buf: &mut [u8]) -> Result<()> {
        let at = buf.as_mut_ptr().cast();
        // SAFETY: `at` holds a block.
        self.call(|fs| unsafe { ext2fs_write_ext_attr3(fs, block, at, ino) })
    }

    /// Frees all blocks of an inode.
    pub(super) fn free_blocks_of(&mut self, ino: u32, inode: &mut Inode) -> Result<()> {
        let at = inode.raw().0.cast();
        // SAFETY: `at` is the inode of `ino`; the library takes its own buffer for null.
        self.call(|fs| unsafe { ext2fs_punch(fs, ino, at, ptr::null_mut(), 0, u64::MAX) })
    }

    /// Adds a name to a directory; gives whether there was room for it. `kind` is the
    /// EXT2_FT_ code.
    pub(super) fn link(&mut self, dir: u32, name: &[u8], ino: u32, kind: u8) -> Result<bool> {
        let name = c_name(name)?;
        // SAFETY: `name` is a C string, `dir` a directory.
        match self.code(|fs| unsafe { ext2fs_link(fs, dir, name.as_ptr(), ino, kind.into()) }) {
            DIR_NO_SPACE => Ok(false),
            code => self.check(code).map(|()| true),
        }
    }

    /// Adds an empty block to a directory.
    pub(super) fn expand_dir(&mut self, dir: u32) -> Result<()> {
        // SAFETY: `dir` is a directory.
        self.call(|fs| unsafe { ext2fs_expand_dir(fs, dir) })
    }

    /// Reads a block of a directory, whose checksum the library checks.
    pub(super) fn read_dir_block(&mut self, dir: u32, block: u64) -> Result<Vec<u8>> {
        let mut buf = vec![0; self.block_size];
        let at = buf.as_mut_ptr().cast();
        // SAFETY: `at` has room for a block.
        self.call(|fs| unsafe { ext2fs_read_dir_block4(fs, block, at, 0, dir) }).map(|()| buf)
    }

    /// Writes a block of a directory with its checksum.
    pub(super) fn write_dir_block(&mut self, dir: u32, block: u64, buf: &mut [u8]) -> Result<()> {
        let at = buf.as_mut_ptr().cast();
        // SAFETY: `at` holds a block.
        self.call(|fs| unsafe { ext2fs_write_dir_block4(fs, block, at, 0, dir) })
    }

    pub(super) fn unlink(&mut self, dir: u32, name: &[u8], ino: u32) -> Result<()> {
        let name = c_name(name)?;
        // SAFETY: `name` is a C string, `dir` a directory.
        self.call(|fs| unsafe { ext2fs_unlink(fs, dir, name.as_ptr(), ino, 0) })
    }

    /// Makes an empty directory of a free inode. Counts its `..` as a link to `parent`.
    pub(super) fn mkdir(&mut self, parent: u32, ino: u32) -> Result<()> {
        // SAFETY: without a name nothing is linked.
        self.call(|fs| unsafe { ext2fs_mkdir(fs, parent, ino, ptr::null()) })
    }

    /// Makes a symlink of a free inode.
    pub(super) fn symlink(&mut self, parent: u32, ino: u32, target: &[u8]) -> Result<()> {
        let target = c_name(target)?;
        // SAFETY: without a name nothing is linked; `target` is a C string.
        self.call(|fs| unsafe { ext2fs_symlink(fs, parent, ino, ptr::null(), target.as_ptr()) })
    }

    /// Names and inodes in a directory, without `.` and `..`.
    pub(super) fn list(&mut self, dir: u32) -> Result<Vec<(Vec<u8>, u32)>> {
        type Names = Vec<(Vec<u8>, u32)>;
        extern "C" fn add(context: *mut c_void, name: *const u8, len: c_int, ino: u32) -> c_int {
            // SAFETY: `context` is the vector below and `name` has `len` bytes.
            let (names, name) = unsafe {
                (&mut *context.cast::<Names>(), std::slice::from_raw_parts(name, len as usize))
            };
            names.push((name.to_vec(), ino));
            c_int::from(names.len() > MAX_NAMES)
        }
        let mut names = Names::new();
        let context = (&raw mut names).cast();
        // SAFETY: the callback gets the context it expects.
        self.call(|fs| unsafe { bw_list(fs, dir, add, context) })?;
        if names.len() > MAX_NAMES {
            let problem = format!("directory {dir} holds more than {MAX_NAMES} names");
            return Err(Refusal::Other(problem));
        }
        Ok(names)
    }

    /// Points the `..` of a directory to another parent.
    pub(super) fn set_parent(&mut self, dir: u32, parent: u32) -> Result<()> {
        // SAFETY: `fs` is open.
        self.call(|fs| unsafe { bw_set_parent(fs, dir, parent) })
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

fn explain(code: Errcode, trouble: Option<Refusal>) -> Refusal {
    if let Some(trouble) = trouble {
        return trouble;
    }
    if matches!(code, BLOCK_ALLOC_FAIL | INODE_ALLOC_FAIL) {
        return Refusal::NoSpace;
    }
    // SAFETY: the library gives a C string for every code.
    let text = unsafe { CStr::from_ptr(error_message(code)) };
    Refusal::Other(text.to_string_lossy().into_owned())
}
