/*
 * What cannot be said from Rust without repeating libext2fs' headers: an io_manager that
 * calls back into a disk view, and the few fields of ext2_filsys that are needed.
 * Compiled against the headers of the installed libext2fs-dev.
 */
#include <stdlib.h>
#include <string.h>
#include <et/com_err.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

/* Mirrored by `Io` in sys.rs. Reads and writes give 0 for success. */
struct bw_io {
	int (*read)(struct bw_io *io, uint64_t offset, uint64_t len, void *buf);
	int (*write)(struct bw_io *io, uint64_t offset, uint64_t len, const void *buf);
	int (*zero)(struct bw_io *io, uint64_t offset, uint64_t len);
	void (*freed)(struct bw_io *io, uint64_t block);
};

static struct struct_io_manager bw_manager;

static errcode_t bw_io_open(const char *name, int flags, io_channel *out)
{
	io_channel channel = calloc(1, sizeof(*channel));
	void *io = NULL;

	(void)flags;
	if (!channel || sscanf(name, "%p", &io) != 1) {
		free(channel);
		return EXT2_ET_NO_MEMORY;
	}
	channel->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	channel->manager = &bw_manager;
	channel->name = strdup("view");
	channel->block_size = 1024;
	channel->refcount = 1;
	channel->private_data = io;
	*out = channel;
	return 0;
}

static errcode_t bw_io_close(io_channel channel)
{
	if (--channel->refcount > 0)
		return 0;
	free(channel->name);
	free(channel);
	return 0;
}

static errcode_t bw_io_set_blksize(io_channel channel, int size)
{
	channel->block_size = size;
	return 0;
}

/* A negative count means bytes instead of blocks. */
static uint64_t bw_io_len(io_channel channel, int count)
{
	return count < 0 ? (uint64_t)-(int64_t)count : (uint64_t)count * channel->block_size;
}

static errcode_t bw_io_read(io_channel channel, unsigned long long block, int count, void *data)
{
	struct bw_io *io = channel->private_data;

	if (block > UINT64_MAX / channel->block_size)
		return EXT2_ET_SHORT_READ;
	return io->read(io, block * channel->block_size, bw_io_len(channel, count), data)
		? EXT2_ET_SHORT_READ : 0;
}

static errcode_t bw_io_write(io_channel channel, unsigned long long block, int count, const void *data)
{
	struct bw_io *io = channel->private_data;

	if (block > UINT64_MAX / channel->block_size)
		return EXT2_ET_SHORT_WRITE;
	return io->write(io, block * channel->block_size, bw_io_len(channel, count), data)
		? EXT2_ET_SHORT_WRITE : 0;
}

/*
 * Without this the library would write zeros from a buffer that all file systems of the
 * process share, made for the block size of the first.
 */
static errcode_t bw_io_zeroout(io_channel channel, unsigned long long block, unsigned long long count)
{
	struct bw_io *io = channel->private_data;
	uint64_t size = channel->block_size;

	if (block > UINT64_MAX / size || count > UINT64_MAX / size)
		return EXT2_ET_SHORT_WRITE;
	return io->zero(io, block * size, count * size) ? EXT2_ET_SHORT_WRITE : 0;
}

static errcode_t bw_io_read32(io_channel channel, unsigned long block, int count, void *data)
{
	return bw_io_read(channel, block, count, data);
}

static errcode_t bw_io_write32(io_channel channel, unsigned long block, int count, const void *data)
{
	return bw_io_write(channel, block, count, data);
}

static errcode_t bw_io_flush(io_channel channel)
{
	(void)channel;
	return 0;
}

static struct struct_io_manager bw_manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "bootwright disk view",
	.open = bw_io_open,
	.close = bw_io_close,
	.set_blksize = bw_io_set_blksize,
	.read_blk = bw_io_read32,
	.write_blk = bw_io_write32,
	.flush = bw_io_flush,
	.read_blk64 = bw_io_read,
	.write_blk64 = bw_io_write,
	.zeroout = bw_io_zeroout,
};

/* A library does not print: what matters comes back as an error, too. */
static void bw_quiet(const char *who, errcode_t code, const char *format, va_list args)
{
	(void)who, (void)code, (void)format, (void)args;
}

static void bw_count(ext2_filsys fs, blk64_t block, int in_use)
{
	struct bw_io *io = fs->io->private_data;

	if (in_use < 0)
		io->freed(io, block);
}

/* To be called once in a process, before anything else. */
void bw_init(void)
{
	initialize_ext2_error_table();
	set_com_err_hook(bw_quiet);
}

errcode_t bw_open(struct bw_io *io, int64_t now, ext2_filsys *fs)
{
	char name[32];
	errcode_t err;

	snprintf(name, sizeof(name), "%p", (void *)io);
	err = ext2fs_open2(name, NULL, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, &bw_manager, fs);
	if (err)
		return err;
	/* For 0 the library would ask the clock. */
	(*fs)->now = now ? now : 1;
	/* As the kernel: backups of super block and descriptors are for resize2fs and fsck. */
	(*fs)->flags |= EXT2_FLAG_MASTER_SB_ONLY;
	ext2fs_set_block_alloc_stats_callback(*fs, bw_count, NULL);
	err = ext2fs_read_bitmaps(*fs);
	if (err)
		ext2fs_free(*fs);
	return err;
}

int bw_is_changed(ext2_filsys fs)
{
	return (fs->flags & (EXT2_FLAG_CHANGED | EXT2_FLAG_DIRTY)) != 0;
}

uint64_t bw_free_blocks(ext2_filsys fs)
{
	return ext2fs_free_blocks_count(fs->super);
}

uint32_t bw_free_inodes(ext2_filsys fs)
{
	return fs->super->s_free_inodes_count;
}

/* The first block of `start..=end` that is in use, or free; ENOENT if there is none. */
errcode_t bw_find_block(ext2_filsys fs, uint64_t start, uint64_t end, int in_use, blk64_t *found)
{
	return in_use
		? ext2fs_find_first_set_block_bitmap2(fs->block_map, start, end, found)
		: ext2fs_find_first_zero_block_bitmap2(fs->block_map, start, end, found);
}

/* A block near an inode, marked as used. The library zeroes it. */
errcode_t bw_new_block(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *inode, blk64_t *block)
{
	return ext2fs_alloc_block2(fs, ext2fs_find_inode_goal(fs, ino, inode, 0), NULL, block);
}

/*
 * Where block `logical` of a file lies, 0 if it has none, and how many blocks follow it
 * there. What was allocated and never written has none.
 */
errcode_t bw_map(ext2_filsys fs, ext2_ino_t ino, struct ext2_inode *inode, uint64_t logical,
		 blk64_t *physical, uint64_t *run)
{
	ext2_extent_handle_t handle;
	struct ext2fs_extent extent;
	errcode_t err;

	*physical = 0;
	*run = 1;
	if (!(inode->i_flags & EXT4_EXTENTS_FL))
		return ext2fs_bmap2(fs, ino, inode, NULL, 0, logical, NULL, physical);
	err = ext2fs_extent_open2(fs, ino, inode, &handle);
	if (err)
		return err;
	err = ext2fs_extent_goto(handle, logical);
	if (!err)
		err = ext2fs_extent_get(handle, EXT2_EXTENT_CURRENT, &extent);
	ext2fs_extent_free(handle);
	if (err)
		return err == EXT2_ET_EXTENT_NOT_FOUND ? 0 : err;
	*run = extent.e_len - (logical - extent.e_lblk);
	if (!(extent.e_flags & EXT2_EXTENT_FLAGS_UNINIT))
		*physical = extent.e_pblk + (logical - extent.e_lblk);
	return 0;
}

struct bw_list {
	int (*callback)(void *context, const char *name, int len, ext2_ino_t ino);
	void *context;
};

static int bw_list_entry(ext2_ino_t dir, int kind, struct ext2_dir_entry *entry, int offset,
			 int block_size, char *block, void *data)
{
	struct bw_list *list = data;

	(void)dir, (void)offset, (void)block_size, (void)block;
	if (kind == DIRENT_DOT_FILE || kind == DIRENT_DOT_DOT_FILE)
		return 0;
	return list->callback(list->context, entry->name, ext2fs_dirent_name_len(entry),
			      entry->inode) ? DIRENT_ABORT : 0;
}

/* Calls back for each name but `.` and `..`, until one call gives something but 0. */
errcode_t bw_list(ext2_filsys fs, ext2_ino_t dir,
		  int (*callback)(void *context, const char *name, int len, ext2_ino_t ino),
		  void *context)
{
	struct bw_list list = { callback, context };

	return ext2fs_dir_iterate2(fs, dir, 0, NULL, bw_list_entry, &list);
}

static int bw_set_parent_entry(ext2_ino_t dir, int kind, struct ext2_dir_entry *entry, int offset,
			       int block_size, char *block, void *data)
{
	(void)dir, (void)offset, (void)block_size, (void)block;
	if (kind != DIRENT_DOT_DOT_FILE)
		return 0;
	entry->inode = *(ext2_ino_t *)data;
	return DIRENT_CHANGED | DIRENT_ABORT;
}

errcode_t bw_set_parent(ext2_filsys fs, ext2_ino_t dir, ext2_ino_t parent)
{
	return ext2fs_dir_iterate2(fs, dir, 0, NULL, bw_set_parent_entry, &parent);
}
