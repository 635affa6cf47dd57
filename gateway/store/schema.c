#include "store/schema.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"
#include "base/time.h"
#include "store/backup.h"
#include "store/conn.h"

#define SHA256_TEXT (2 * crypto_hash_sha256_BYTES + 1)

static const char bookkeeping[] =
    "CREATE TABLE IF NOT EXISTS schema_upgrade ("
    "  number INTEGER PRIMARY KEY,"   /* NNNN of the file's name */
    "  name TEXT NOT NULL,"           /* the file's name without .sql */
    "  sha256 TEXT NOT NULL,"         /* of its text when it was applied */
    "  applied_at INTEGER NOT NULL);" /* ms UTC */
    "CREATE TABLE IF NOT EXISTS store_probe ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  at INTEGER NOT NULL);"; /* ms UTC of the last trial write after a failure */

static int upgrade_number(const struct schema_upgrade *upgrade)
{
    return (int)strtol(upgrade->name, NULL, 10);
}

static void digest(const char *sql, char out[SHA256_TEXT])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)sql, strlen(sql));
    se_hex_encode(hash, sizeof(hash), out);
}

static const struct schema_upgrade *find(const struct schema_upgrade *upgrades, int number)
{
    for (; upgrades->name; upgrades++)
        if (upgrade_number(upgrades) == number)
            return upgrades;
    return NULL;
}

/* Marks in `applied` (by place in the list) what the database has, and refuses what does not fit. */
static int read_applied(sqlite3 *db, const char *path, const struct schema_upgrade *upgrades, bool *applied,
                        int *ret_count, struct se_err *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db, "SELECT number, name, sha256 FROM schema_upgrade ORDER BY number", -1,
                                  &stmt, NULL);
    int count = 0, r = 0;
    while (code == SQLITE_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        code = SQLITE_OK;
        const char *name = (const char *)sqlite3_column_text(stmt, 1);
        const char *sha256 = (const char *)sqlite3_column_text(stmt, 2);
        const struct schema_upgrade *upgrade = find(upgrades, sqlite3_column_int(stmt, 0));
        if (!name || !sha256) {
            code = SQLITE_NOMEM;
            break;
        }
        if (!upgrade) {
            r = se_fail(err, -ENOTSUP,
                        "%s was upgraded by a newer program (%s). Use that program, or put back the backup "
                        "that was made before the upgrade",
                        path, name);
            break;
        }
        char now[SHA256_TEXT];
        digest(upgrade->sql, now);
        if (strcmp(now, sha256) != 0) {
            r = se_fail(err, -ENOTSUP,
                        "%s: the schema upgrade %s reads differently now than when it was applied. A landed "
                        "upgrade is never edited: use the program that made this database, or start with "
                        "an empty one",
                        path, upgrade->name);
            break;
        }
        applied[upgrade - upgrades] = true;
        count++;
    }
    if (r == 0 && code != SQLITE_DONE && code != SQLITE_OK)
        r = conn_fail(db, code, path, err);
    sqlite3_finalize(stmt);
    if (r == 0)
        *ret_count = count;
    return r;
}

static int backup_before(sqlite3 *db, const char *path, const struct schema_upgrade *upgrade,
                         struct se_err *err)
{
    char stamp[32];
    time_t now = (time_t)(se_wall_now_ms() / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
    se_free_ char *copy = se_asprintf("%s.before-%s-%s", path, upgrade->name, stamp);
    if (!copy)
        return se_fail(err, -ENOMEM, "out of memory");
    int r = backup_into(db, copy, err);
    if (r == 0)
        se_info("store", "backed up before a schema upgrade upgrade=%s backup=\"%s\"", upgrade->name, copy);
    return r;
}

static int apply(sqlite3 *db, const char *path, const struct schema_upgrade *upgrade, struct se_err *err)
{
    char sha256[SHA256_TEXT];
    digest(upgrade->sql, sha256);
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, upgrade->sql, NULL, NULL, NULL);
    char *insert =
        sqlite3_mprintf("INSERT INTO schema_upgrade VALUES (%d, %Q, %Q, %lld)", upgrade_number(upgrade),
                        upgrade->name, sha256, (long long)se_wall_now_ms());
    if (code == SQLITE_OK)
        code = insert ? sqlite3_exec(db, insert, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(insert);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return 0;
    struct se_err why = {0};
    int r = conn_fail(db, code, path, &why);
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return se_fail(err, r, "the schema upgrade %s failed and was undone: %.160s", upgrade->name, why.text);
}

int schema_upgrade(sqlite3 *db, const char *path, const struct schema_upgrade *upgrades, int *ret_version,
                   struct se_err *err)
{
    bool applied[1000] = {false};
    int code = sqlite3_exec(db, bookkeeping, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return conn_fail(db, code, path, err);
    int have = 0, version = 0;
    int r = read_applied(db, path, upgrades, applied, &have, err);
    for (int i = 0; r == 0 && upgrades[i].name; i++) {
        version = upgrade_number(&upgrades[i]);
        if (applied[i])
            continue;
        if (have > 0)
            r = backup_before(db, path, &upgrades[i], err);
        have = 0; /* one backup a start */
        if (r == 0)
            r = apply(db, path, &upgrades[i], err);
        if (r == 0)
            se_debug("store", "schema upgrade applied upgrade=%s", upgrades[i].name);
    }
    if (r == 0)
        *ret_version = version;
    return r;
}
