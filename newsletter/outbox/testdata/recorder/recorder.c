/*
 * Recorder stands between SQLite and the C library (LD_PRELOAD). It writes down, in order, what is done to a database's files,
 * so that a test can make the files that a power cut would have left; and it makes the n-th of these calls fail.
 *
 * RECORDER_DATABASE  path of the database; its -wal and -journal are recorded too. The -shm is memory and outlives nothing.
 * RECORDER_LOG       appended to, one write a record, so that others may append lines of their own in between:
 *                      W FILE OFFSET LENGTH\n and the octets    T FILE SIZE\n    S FILE\n (synced)
 *                      O FILE\n (created)    U FILE\n (removed)    D\n (the folder synced)
 * RECORDER_CONTROL   two 64-bit numbers: how many calls were made, and the call that fails (0: none). May be missing.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NONE, DB, WAL, JOURNAL, FOLDER };
static const char *const names[] = {"", "db", "wal", "journal", "folder"};

static const char *database;
static int record = -1;
static volatile int64_t *control;
static unsigned char kinds[65536]; /* by file descriptor */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_truncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
	real_open = next("open");
	real_close = next("close");
	real_write = next("write");
	real_pwrite = next("pwrite");
	real_truncate = next("ftruncate");
	real_fsync = next("fsync");
	real_fdatasync = next("fdatasync");
	real_unlink = next("unlink");
	database = getenv("RECORDER_DATABASE");
	const char *path = getenv("RECORDER_LOG");
	if (path != NULL && (record = real_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
		abort();
	path = getenv("RECORDER_CONTROL");
	if (path != NULL) {
		int fd = real_open(path, O_RDWR | O_CLOEXEC);
		control = fd < 0 ? MAP_FAILED : mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (control == MAP_FAILED)
			abort();
		real_close(fd);
	}
}

static int kind(const char *path) {
	size_t n = database == NULL ? 0 : strlen(database);
	if (n == 0)
		return NONE;
	if (strncmp(path, database, n) == 0) {
		const char *rest = path + n;
		return *rest == 0 ? DB : strcmp(rest, "-wal") == 0 ? WAL : strcmp(rest, "-journal") == 0 ? JOURNAL : NONE;
	}
	size_t folder = strrchr(database, '/') - database;
	return strlen(path) == folder && strncmp(path, database, folder) == 0 ? FOLDER : NONE;
}

static int kind_of(int fd) { return fd >= 0 && fd < (int)sizeof kinds ? kinds[fd] : NONE; }

static void note(const void *data, size_t size, const char *format, ...) {
	char line[128];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	struct iovec parts[] = {{line, n}, {(void *)data, size}};
	if (record >= 0 && writev(record, parts, 2) != (ssize_t)(n + size))
		abort();
}

/* fails counts a call and says whether it is the one that fails. */
static int fails(int error) {
	if (control == NULL || ++control[0] != control[1])
		return 0;
	errno = error;
	return 1;
}

static int opened(const char *path, int flags, int fd, int was_there) {
	int k = kind(path);
	if (fd >= 0 && fd < (int)sizeof kinds)
		kinds[fd] = k;
	if (fd >= 0 && k != NONE && k != FOLDER && (flags & O_CREAT) && !was_there)
		note(NULL, 0, "O %s\n", names[k]);
	return fd;
}

int open(const char *path, int flags, ...) {
	va_list args;
	va_start(args, flags);
	mode_t mode = va_arg(args, mode_t);
	va_end(args);
	if (kind(path) == NONE)
		return real_open(path, flags, mode);
	pthread_mutex_lock(&lock);
	int was_there = access(path, F_OK) == 0;
	int fd = opened(path, flags, real_open(path, flags, mode), was_there);
	pthread_mutex_unlock(&lock);
	return fd;
}

int open64(const char *, int, ...) __attribute__((alias("open")));

int close(int fd) {
	if (kind_of(fd) != NONE)
		kinds[fd] = NONE;
	return real_close(fd);
}

static ssize_t written(int fd, const void *data, size_t size, off_t at) {
	pthread_mutex_lock(&lock);
	ssize_t n = fails(ENOSPC) ? -1 : real_pwrite(fd, data, size, at);
	if (n > 0)
		note(data, n, "W %s %lld %zd\n", names[kind_of(fd)], (long long)at, n);
	pthread_mutex_unlock(&lock);
	return n;
}

ssize_t write(int fd, const void *data, size_t size) {
	if (kind_of(fd) == NONE)
		return real_write(fd, data, size);
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t n = written(fd, data, size, at);
	if (n > 0)
		lseek(fd, at + n, SEEK_SET);
	return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
	return kind_of(fd) == NONE ? real_pwrite(fd, data, size, at) : written(fd, data, size, at);
}

ssize_t pwrite64(int, const void *, size_t, off_t) __attribute__((alias("pwrite")));

int ftruncate(int fd, off_t size) {
	if (kind_of(fd) == NONE)
		return real_truncate(fd, size);
	pthread_mutex_lock(&lock);
	int rc = fails(EIO) ? -1 : real_truncate(fd, size);
	if (rc == 0)
		note(NULL, 0, "T %s %lld\n", names[kind_of(fd)], (long long)size);
	pthread_mutex_unlock(&lock);
	return rc;
}

int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));

static int synced(int fd, int (*real)(int)) {
	if (kind_of(fd) == NONE)
		return real(fd);
	pthread_mutex_lock(&lock);
	int rc = fails(EIO) ? -1 : real(fd);
	if (rc == 0 && kind_of(fd) == FOLDER)
		note(NULL, 0, "D\n");
	else if (rc == 0)
		note(NULL, 0, "S %s\n", names[kind_of(fd)]);
	pthread_mutex_unlock(&lock);
	return rc;
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int unlink(const char *path) {
	int k = kind(path);
	if (k == NONE || k == FOLDER)
		return real_unlink(path);
	pthread_mutex_lock(&lock);
	int rc = fails(EIO) ? -1 : real_unlink(path);
	if (rc == 0)
		note(NULL, 0, "U %s\n", names[k]);
	pthread_mutex_unlock(&lock);
	return rc;
}
