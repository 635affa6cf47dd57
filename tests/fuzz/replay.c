/* Runs a fuzz target over files, once each: the corpora as an ordinary test, with any compiler. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    size_t cap = 1 << 20;
    uint8_t *data = malloc(cap);
    size_t size = data ? fread(data, 1, cap, file) : 0;
    fclose(file);
    /* of exact size, so that a sanitizer sees a byte too many */
    uint8_t *exact = malloc(size ? size : 1);
    if (exact && size)
        memcpy(exact, data, size);
    if (exact)
        LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(data);
    return exact ? 0 : -1;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        struct dirent *entry;
        if (!dir) {
            perror(argv[i]);
            return 1;
        }
        while ((entry = readdir(dir))) {
            char path[4096];
            snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
            if (entry->d_name[0] == '.')
                continue;
            if (replay(path) < 0) {
                perror(path);
                closedir(dir);
                return 1;
            }
            count++;
        }
        closedir(dir);
    }
    printf("%u inputs\n", count);
    return count ? 0 : 1; /* a corpus that is not there is no success */
}
