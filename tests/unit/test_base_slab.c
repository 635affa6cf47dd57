/* base/slab.h: buffers in shared pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/slab.h"
#include "base/thread.h"

static struct se_buf *put(struct se_slab *slab, size_t size, int fill)
{
    struct se_buf *buf = se_slab_take(slab, size);
    assert_non_null(buf);
    assert_true(buf->size >= size);
    memset(buf->data, fill, size);
    se_slab_trim(slab, buf, size);
    assert_int_equal(buf->size, size);
    return buf;
}

static void assert_filled(const struct se_buf *buf, int fill)
{
    for (size_t i = 0; i < buf->size; i++)
        assert_int_equal(buf->data[i], fill);
}

static void buffers_do_not_touch_each_other(void **state)
{
    struct se_slab slab = {0};
    struct se_buf *bufs[400];
    for (unsigned i = 0; i < 400; i++)
        bufs[i] = put(&slab, i * 7 % 1500, (int)(i & 255));
    for (unsigned i = 0; i < 400; i += 2) /* those between stay */
        se_buf_unref(&bufs[i]);
    for (unsigned i = 1; i < 400; i += 2) {
        assert_filled(bufs[i], (int)(i & 255));
        assert_int_equal((uintptr_t)bufs[i]->data % 16, 0);
    }
    se_slab_fini(&slab); /* what is held outlives it */
    for (unsigned i = 1; i < 400; i += 2) {
        assert_filled(bufs[i], (int)(i & 255));
        se_buf_unref(&bufs[i]);
    }
}

static void large_ones_fit_too(void **state)
{
    struct se_slab slab = {0};
    struct se_buf *small = put(&slab, 10, 1), *large = put(&slab, 3u << 20, 2), *after = put(&slab, 10, 3);
    struct se_buf *none = put(&slab, 0, 0);
    assert_filled(small, 1);
    assert_filled(large, 2);
    assert_filled(after, 3);
    assert_null(se_slab_take(&slab, SIZE_MAX - 8));
    se_buf_unref(&none);
    se_buf_unref(&large);
    se_buf_unref(&small);
    se_buf_unref(&after);
    se_slab_fini(&slab);
    se_slab_fini(&slab); /* and again is fine */
}

/* One that is given up before it was trimmed leaves its room to nobody, and nothing is lost. */
static void given_up_untrimmed(void **state)
{
    struct se_slab slab = {0};
    struct se_buf *first = put(&slab, 100, 1), *open = se_slab_take(&slab, 1000);
    se_buf_unref(&open);
    struct se_buf *next = put(&slab, 100, 2);
    assert_filled(first, 1);
    assert_filled(next, 2);
    se_buf_unref(&first);
    se_buf_unref(&next);
    se_slab_fini(&slab);
}

#define MANY 2000
static struct se_buf *handed[MANY];

static void *drop_all(void *ctx)
{
    for (unsigned i = 0; i < MANY; i++)
        se_buf_unref(&handed[i]);
    return NULL;
}

static void dropped_by_another_thread(void **state)
{
    struct se_slab slab = {0};
    struct se_buf *kept[MANY];
    for (unsigned i = 0; i < MANY; i++)
        handed[i] = se_buf_ref(kept[i] = put(&slab, 300, (int)(i & 255)));
    pthread_t thread;
    assert_int_equal(se_thread_start(&thread, "drop", drop_all, NULL), 0);
    for (unsigned i = 0; i < MANY; i++) {
        assert_filled(kept[i], (int)(i & 255));
        se_buf_unref(&kept[i]);
        struct se_buf *more = put(&slab, 50, 0);
        se_buf_unref(&more);
    }
    pthread_join(thread, NULL);
    se_slab_fini(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffers_do_not_touch_each_other),
        cmocka_unit_test(large_ones_fit_too),
        cmocka_unit_test(given_up_untrimmed),
        cmocka_unit_test(dropped_by_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
