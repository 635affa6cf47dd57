#include "mp4/table.h"

#include "mp4/mux.h"

#define BOX(a) MP4_FOURCC((a)[0], (a)[1], (a)[2], (a)[3])

static void runs_close(struct mp4_runs *runs)
{
    if (!runs->count)
        return;
    mp4_u32(&runs->w, runs->count);
    mp4_u32(&runs->w, runs->value);
    runs->runs++;
    runs->count = 0;
}

static void runs_add(struct mp4_runs *runs, uint32_t value)
{
    if (runs->count && runs->value != value)
        runs_close(runs);
    runs->value = value;
    runs->count++;
}

static void add_sample(struct mp4_table *t, int64_t dts, const struct mp4_sample *s)
{
    if (t->samples == 0) {
        t->first_dts_90k = dts;
        t->first_pts_90k = dts + s->cts_90k;
    } else {
        if (dts <= t->last_dts_90k)
            dts = t->last_dts_90k + 1;
        runs_add(&t->times, (uint32_t)(dts - t->last_dts_90k));
    }
    t->last_dts_90k = dts;
    t->last_duration_90k = s->duration_90k;
    t->samples++;
    t->reordered |= s->cts_90k != 0;
    runs_add(&t->offsets, (uint32_t)s->cts_90k);
    mp4_u32(&t->sizes, s->size);
    if (s->keyframe) {
        mp4_u32(&t->syncs, t->samples);
        t->sync_count++;
    }
}

void mp4_table_chunk(struct mp4_table *table, uint64_t place, uint32_t description, int64_t dts_90k,
                     const struct mp4_sample *samples, uint32_t count)
{
    table->chunk_count++;
    mp4_u64(&table->places, place);
    if (count != table->chunk_samples || description != table->chunk_description) {
        table->chunk_samples = count;
        table->chunk_description = description;
        table->chunk_runs++;
        mp4_u32(&table->chunks, table->chunk_count);
        mp4_u32(&table->chunks, count);
        mp4_u32(&table->chunks, description);
    }
    for (uint32_t i = 0; i < count; i++) {
        add_sample(table, dts_90k, &samples[i]);
        dts_90k += samples[i].duration_90k;
    }
}

void mp4_table_end(struct mp4_table *table)
{
    if (table->samples)
        runs_add(&table->times, table->last_duration_90k);
    runs_close(&table->times);
    runs_close(&table->offsets);
}

uint64_t mp4_table_duration(const struct mp4_table *table)
{
    return table->samples ? (uint64_t)(table->last_dts_90k - table->first_dts_90k) + table->last_duration_90k
                          : 0;
}

static void box(struct mp4_writer *w, uint32_t type, uint8_t version, uint32_t count,
                const struct mp4_writer *content)
{
    size_t mark = mp4_begin_full(w, type, version, 0);
    mp4_u32(w, count);
    mp4_bytes(w, content->data, content->len);
    mp4_end(w, mark);
}

void mp4_table_write(struct mp4_writer *w, const struct mp4_table *table, uint64_t base)
{
    box(w, BOX("stts"), 0, table->times.runs, &table->times.w);
    if (table->reordered)
        box(w, BOX("ctts"), 1, table->offsets.runs, &table->offsets.w);
    if (table->sync_count < table->samples)
        box(w, BOX("stss"), 0, table->sync_count, &table->syncs);
    box(w, BOX("stsc"), 0, table->chunk_runs, &table->chunks);
    size_t stsz = mp4_begin_full(w, BOX("stsz"), 0, 0);
    mp4_u32(w, 0); /* each its own */
    mp4_u32(w, table->samples);
    mp4_bytes(w, table->sizes.data, table->sizes.len);
    mp4_end(w, stsz);
    size_t co64 = mp4_begin_full(w, BOX("co64"), 0, 0);
    mp4_u32(w, table->chunk_count);
    for (size_t i = 0; i + 8 <= table->places.len; i += 8)
        mp4_u64(w, base + mp4_get_u64(table->places.data + i));
    mp4_end(w, co64);
}

bool mp4_table_oom(const struct mp4_table *table)
{
    return table->times.w.oom || table->offsets.w.oom || table->syncs.oom || table->sizes.oom ||
           table->chunks.oom || table->places.oom;
}

void mp4_table_fini(struct mp4_table *table)
{
    mp4_fini(&table->times.w);
    mp4_fini(&table->offsets.w);
    mp4_fini(&table->syncs);
    mp4_fini(&table->sizes);
    mp4_fini(&table->chunks);
    mp4_fini(&table->places);
}
