#include "console.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

#define FILES_MAX 2000
#define BYTES_MAX 67108864
#define DEPTH_MAX 8

struct file {
    char *path; /* "/assets/index-4f2a.js" */
    void *data; /* mapped, read only */
    size_t size;
    const char *type;
    bool immutable; /* its name carries a hash of its content */
    char etag[40];
};

struct console {
    struct file *files; /* sorted by path */
    size_t count;
    size_t bytes;
};

static const struct {
    const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".woff", "font/woff"},
    {".ttf", "font/ttf"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
    {".webmanifest", "application/manifest+json"},
};

static const char absent_page[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Sharp Eyes Gateway</title>"
    "<h1>Sharp Eyes Gateway</h1><p>The gateway runs, but its console has not been built. Run "
    "<code>./dev build</code> in the source folder, or set <code>http.console_dir</code> to a built console, "
    "and start the gateway again.</p><p>The API is described at "
    "<a href=\"/api/v1/openapi.yaml\">/api/v1/openapi.yaml</a>.</p></html>";

static const char *type_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < SE_ARRAY_LEN(types); i++) {
        if (strcmp(dot, types[i].ending) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

static int add(struct console *console, const char *dir, const char *path)
{
    se_free_ char *full = se_asprintf("%s%s", dir, path);
    struct file *files = reallocarray(console->files, console->count + 1, sizeof(*files));
    if (!full || !files) {
        return -ENOMEM;
    }
    console->files = files;
    struct stat st;
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0 || console->count >= FILES_MAX ||
        console->bytes + (size_t)st.st_size > BYTES_MAX) {
        int r = fd < 0 ? -errno : -EFBIG;
        if (fd >= 0) {
            close(fd);
        }
        return r;
    }
    struct file file = {.size = (size_t)st.st_size, .type = type_of(path), .path = strdup(path)};
    file.immutable = strncmp(path, "/assets/", 8) == 0;
    file.data = file.size ? mmap(NULL, file.size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0) : NULL;
    close(fd);
    if (!file.path || file.data == MAP_FAILED) {
        free(file.path);
        return -ENOMEM;
    }
    unsigned char hash[16];
    char hex[2 * sizeof(hash) + 1];
    crypto_generichash(hash, sizeof(hash), file.data, file.size, NULL, 0);
    se_hex_encode(hash, sizeof(hash), hex);
    snprintf(file.etag, sizeof(file.etag), "\"%s\"", hex);
    console->bytes += file.size;
    console->files[console->count++] = file;
    return 0;
}

static int walk(struct console *console, const char *dir, const char *path, unsigned depth)
{
    se_free_ char *full = se_asprintf("%s%s", dir, path);
    DIR *entries = full ? opendir(full) : NULL;
    int r = 0;
    if (!entries) {
        return full ? -errno : -ENOMEM;
    }
    for (struct dirent *entry; r == 0 && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        se_free_ char *name = se_asprintf("%s/%s", path, entry->d_name);
        if (!name) {
            r = -ENOMEM;
        } else if (entry->d_type == DT_DIR && depth < DEPTH_MAX) {
            r = walk(console, dir, name, depth + 1);
        } else if (entry->d_type == DT_REG) {
            r = add(console, dir, name);
        }
    }
    closedir(entries);
    return r;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

int console_new(const char *dir, struct console **ret_console, struct se_err *err)
{
    struct console *console = calloc(1, sizeof(*console));
    if (!console) {
        return se_fail(err, -ENOMEM, "out of memory");
    }
    int r = *dir ? walk(console, dir, "", 0) : -ENOENT;
    if (r == -ENOENT && console->count == 0) {
        se_info("http", "no built console dir=\"%s\"", dir);
        r = 0;
    }
    if (r < 0) {
        console_free(console);
        return se_fail(err, r, "http.console_dir = %s: %s", dir, strerror(-r));
    }
    if (console->count) {
        qsort(console->files, console->count, sizeof(console->files[0]), by_path);
    }
    *ret_console = console;
    return 0;
}

void console_free(struct console *console)
{
    if (!console) {
        return;
    }
    for (size_t i = 0; i < console->count; i++) {
        if (console->files[i].data) {
            munmap(console->files[i].data, console->files[i].size);
        }
        free(console->files[i].path);
    }
    free(console->files);
    free(console);
}

static const struct file *find(const struct console *console, const char *path)
{
    struct file key = {.path = (char *)path};
    return console->count ? bsearch(&key, console->files, console->count, sizeof(key), by_path) : NULL;
}

static void add_headers(struct MHD_Response *answer, const char *type, const char *cache)
{
    MHD_add_response_header(answer, "Content-Type", type);
    MHD_add_response_header(answer, "Cache-Control", cache);
    MHD_add_response_header(answer, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(answer, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(
        answer, "Content-Security-Policy",
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; font-src 'self' data:; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'none'");
}

bool console_find(const struct console *console, const char *path, const char *if_none_match,
                  struct MHD_Response **ret_answer, int *ret_status)
{
    if (strncmp(path, "/api/", 5) == 0 || strncmp(path, "/live/", 6) == 0) {
        return false;
    }
    const char *last = strrchr(path, '/');
    bool page = last && !strchr(last, '.');
    const struct file *file = strcmp(path, "/") == 0 ? NULL : find(console, path);
    if (!file && page) {
        file = find(console, "/index.html");
    }
    if (!file && (!page || console->count)) {
        return false;
    }
    struct MHD_Response *answer;
    if (!file) {
        answer = MHD_create_response_from_buffer(sizeof(absent_page) - 1, (void *)absent_page,
                                                 MHD_RESPMEM_PERSISTENT);
        *ret_status = strcmp(path, "/") == 0 ? 200 : 404;
    } else {
        bool same = if_none_match && strstr(if_none_match, file->etag);
        answer = same ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
                      : MHD_create_response_from_buffer(file->size, file->data, MHD_RESPMEM_PERSISTENT);
        *ret_status = same ? 304 : 200;
    }
    if (!answer) {
        return false;
    }
    if (file) {
        MHD_add_response_header(answer, "ETag", file->etag);
    }
    add_headers(answer, file ? file->type : types[0].type,
                file && file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    *ret_answer = answer;
    return true;
}
