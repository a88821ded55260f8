/* Preloaded into a process: counts what it does to files, and ends it before a given one, as `kill -9` would. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

long operations = 0;
long last = -1; /* ends the process instead of doing this one; -1: never */

static void count(void)
{
    operations++;
    if (operations == last)
        _exit(9);
}

static void count_file(int file)
{
    struct stat what;
    if (fstat(file, &what) == 0 && S_ISREG(what.st_mode))
        count();
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *from, size_t size) { count_file(file); return REAL(write)(file, from, size); }
ssize_t pwrite(int file, const void *from, size_t size, off_t at) { count_file(file); return REAL(pwrite)(file, from, size, at); }
ssize_t pwrite64(int file, const void *from, size_t size, off64_t at) { count_file(file); return REAL(pwrite64)(file, from, size, at); }
int ftruncate(int file, off_t size) { count(); return REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { count(); return REAL(ftruncate64)(file, size); }
int fsync(int file) { count(); return REAL(fsync)(file); }
int fdatasync(int file) { count(); return REAL(fdatasync)(file); }
int unlink(const char *path) { count(); return REAL(unlink)(path); }
int unlinkat(int folder, const char *path, int flags) { count(); return REAL(unlinkat)(folder, path, flags); }
int rmdir(const char *path) { count(); return REAL(rmdir)(path); }
int mkdir(const char *path, mode_t mode) { count(); return REAL(mkdir)(path, mode); }
int rename(const char *old, const char *new) { count(); return REAL(rename)(old, new); }

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        mode_t mode = 0; \
        if (flags & O_CREAT) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
            count(); \
        } \
        return REAL(name)(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
