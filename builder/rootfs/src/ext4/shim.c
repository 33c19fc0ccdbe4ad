/*
 * What cannot be said from Rust without repeating libext2fs' headers: an io_manager that
 * calls back into a disk view, and the few fields of ext2_filsys that are needed.
 * Compiled against the headers of the installed libext2fs-dev.
 */
#include <stdlib.h>
#include <string.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

/* Mirrored by `Io` in sys.rs. Both calls give 0 for success. */
struct bw_io {
	int (*read)(struct bw_io *io, uint64_t offset, uint64_t len, void *buf);
	int (*write)(struct bw_io *io, uint64_t offset, uint64_t len, const void *buf);
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

	return io->read(io, block * channel->block_size, bw_io_len(channel, count), data)
		? EXT2_ET_SHORT_READ : 0;
}

static errcode_t bw_io_write(io_channel channel, unsigned long long block, int count, const void *data)
{
	struct bw_io *io = channel->private_data;

	return io->write(io, block * channel->block_size, bw_io_len(channel, count), data)
		? EXT2_ET_SHORT_WRITE : 0;
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
};

errcode_t bw_open(struct bw_io *io, int64_t now, ext2_filsys *fs)
{
	char name[32];
	errcode_t err;

	initialize_ext2_error_table();
	snprintf(name, sizeof(name), "%p", (void *)io);
	err = ext2fs_open2(name, NULL, EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, &bw_manager, fs);
	if (err)
		return err;
	(*fs)->now = now;
	/* As the kernel: backups of super block and descriptors are for resize2fs and fsck. */
	(*fs)->flags |= EXT2_FLAG_MASTER_SB_ONLY;
	err = ext2fs_read_bitmaps(*fs);
	if (err)
		ext2fs_free(*fs);
	return err;
}

uint64_t bw_free_blocks(ext2_filsys fs)
{
	return ext2fs_free_blocks_count(fs->super);
}

uint32_t bw_free_inodes(ext2_filsys fs)
{
	return fs->super->s_free_inodes_count;
}

errcode_t bw_used_blocks(ext2_filsys fs, uint64_t first, uint64_t count, uint8_t *bits)
{
	return ext2fs_get_block_bitmap_range2(fs->block_map, first, count, bits);
}
