/* The audio callback and its ring: interleaved float32 frames, one producer, one consumer.
 *
 * Who calls what
 *   mixer thread (the producer)    attacca_ring_write, attacca_ring_space
 *   PortAudio's thread (consumer)  attacca_callback: no lock, no allocation, no system call
 *   tests, offline (consumer)      attacca_ring_read, only while no stream has the callback
 *   any thread                     attacca_ring_fill, _stats, _take_min_fill, _mute, _flush
 *   owner, with no stream open     attacca_ring_create, attacca_ring_rest, attacca_ring_destroy
 *
 * The indexes count frames since creation and never wrap in practice (64 bits); a slot is
 * index & mask. The producer publishes `written` with release and the consumer takes it with
 * acquire, and the other way round for `taken`, so no frame is seen before its samples are.
 *
 * What is heard
 *   playing    frames leave the ring unchanged; a fade-in over `fade` frames comes first
 *   underrun   the ring ran dry: the last sample heard decays to zero over `fade` frames, then
 *              silence; one event is counted however long it lasts. Play goes on when `resume`
 *              frames (or the device's block, if larger) have gathered, so that a starved
 *              producer makes few gaps and not a stutter
 *   mute       fades out over `fade` frames of real audio, then HOLDS: the ring is not read and
 *              nothing is lost; unmuting fades in with the next frame
 *   flush      fades out likewise, then drops what had been written when flush was called
 */

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif

#ifndef ATTACCA_SOURCE_HASH
#define ATTACCA_SOURCE_HASH "unknown"
#endif

#define MAX_CHANNELS 64
#define MAX_FRAMES (UINT64_C(1) << 24)
#define OUTPUT_UNDERFLOW 0x4ul /* paOutputUnderflow */

enum state { WAITING, PLAYING, STARVED };

typedef struct {
    uint64_t underruns;         /* times the ring ran dry while playing */
    uint64_t missing_frames;    /* frames of fade or silence sent because of underruns */
    uint64_t idle_frames;       /* silence on purpose: before the first frame, muted, flushed */
    uint64_t flushed_frames;    /* frames dropped by flush */
    uint64_t callbacks;         /* calls by PortAudio */
    uint64_t output_underflows; /* calls that carried PortAudio's own underflow flag */
    uint64_t frames_out;        /* frames given to the device: its clock */
    uint64_t last_block;        /* frames asked for by the last call */
} attacca_stats;

typedef struct {
    /* set once */
    uint32_t channels, fade, resume;
    uint64_t capacity, mask;
    float *frames;
    /* shared */
    _Atomic uint64_t written, taken, flush_to, min_fill;
    _Atomic int muted;
    _Atomic uint64_t underruns, missing_frames, idle_frames, flushed_frames;
    _Atomic uint64_t callbacks, output_underflows, frames_out, last_block;
    /* the callback's own */
    enum state state;
    uint32_t level; /* 0..fade: how far the fade-in has come */
    uint32_t tail;  /* frames left of the decay from `held` */
    uint64_t settle; /* frames left of the silence at a stream's start */
    float held[MAX_CHANNELS];
    float last[MAX_CHANNELS];
} attacca_ring;

#define LOAD(x) atomic_load_explicit(&(x), memory_order_relaxed)
#define ADD(x, n) atomic_store_explicit(&(x), LOAD(x) + (n), memory_order_relaxed)
#define ACQUIRE(x) atomic_load_explicit(&(x), memory_order_acquire)
#define RELEASE(x, v) atomic_store_explicit(&(x), (v), memory_order_release)

API const char *attacca_source_hash(void) { return ATTACCA_SOURCE_HASH; }

/* Smoothstep: 0..1 with no slope at either end, and no libm. */
static inline float curve(uint32_t position, uint32_t length) {
    float x = (float)position / (float)length;
    return x * x * (3.0f - 2.0f * x);
}

/* ------------------------------------------------------------------------------- life */

/* Room for at least `frames` frames (a power of two is taken); NULL when it cannot be had. */
API attacca_ring *attacca_ring_create(uint64_t frames, uint32_t channels, uint32_t fade,
                                      uint32_t resume) {
    if (frames < 1 || frames > MAX_FRAMES || channels < 1 || channels > MAX_CHANNELS) return NULL;
    uint64_t capacity = 1;
    while (capacity < frames) capacity *= 2;
    attacca_ring *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->frames = calloc((size_t)(capacity * channels), sizeof(float));
    if (!r->frames) {
        free(r);
        return NULL;
    }
    r->channels = channels;
    r->fade = fade ? fade : 1;
    r->resume = resume ? resume : 1;
    if (r->resume > capacity) r->resume = (uint32_t)capacity;
    r->capacity = capacity;
    r->mask = capacity - 1;
    atomic_store(&r->min_fill, capacity);
    return r;
}

/* For a stream about to be opened: forget what was heard last, so that it fades in, and give its
 * first `settle` frames silence. A device fills its own buffer in one burst at the start, which would
 * run the ring dry. The ring keeps its frames. */
API void attacca_ring_rest(attacca_ring *r, uint64_t settle) {
    r->settle = settle;
    r->state = WAITING;
    r->level = r->tail = 0;
    memset(r->last, 0, sizeof r->last);
}

API void attacca_ring_destroy(attacca_ring *r) {
    if (r) free(r->frames);
    free(r);
}

/* ---------------------------------------------------------------------------- producer */

API uint64_t attacca_ring_capacity(const attacca_ring *r) { return r->capacity; }

API uint64_t attacca_ring_fill(attacca_ring *r) {
    uint64_t taken = ACQUIRE(r->taken); /* first: a stale value makes the ring look fuller */
    uint64_t fill = ACQUIRE(r->written) - taken;
    return fill < r->capacity ? fill : r->capacity;
}

API uint64_t attacca_ring_space(attacca_ring *r) { return r->capacity - attacca_ring_fill(r); }

/* Returns how many of the `frames` frames went in: all of them, or as many as there was room. */
API uint64_t attacca_ring_write(attacca_ring *r, const float *in, uint64_t frames) {
    uint64_t written = LOAD(r->written);
    uint64_t room = r->capacity - (written - ACQUIRE(r->taken));
    if (frames > room) frames = room;
    uint64_t at = written & r->mask;
    uint64_t first = r->capacity - at < frames ? r->capacity - at : frames;
    size_t frame = r->channels * sizeof(float);
    memcpy(r->frames + at * r->channels, in, (size_t)first * frame);
    memcpy(r->frames, in + first * r->channels, (size_t)(frames - first) * frame);
    RELEASE(r->written, written + frames);
    return frames;
}

/* ---------------------------------------------------------------------------- consumer */

/* Raw read, without fades or counting. Returns frames read. */
API uint64_t attacca_ring_read(attacca_ring *r, float *out, uint64_t frames) {
    uint64_t taken = LOAD(r->taken);
    uint64_t fill = ACQUIRE(r->written) - taken;
    if (frames > fill) frames = fill;
    uint64_t at = taken & r->mask;
    uint64_t first = r->capacity - at < frames ? r->capacity - at : frames;
    size_t frame = r->channels * sizeof(float);
    memcpy(out, r->frames + at * r->channels, (size_t)first * frame);
    memcpy(out + first * r->channels, r->frames, (size_t)(frames - first) * frame);
    RELEASE(r->taken, taken + frames);
    return frames;
}

/* The decay from the last sample heard, then silence. */
static void send_tail(attacca_ring *r, float *out, uint64_t frames) {
    for (uint64_t i = 0; i < frames; i++) {
        float g = r->tail ? curve(--r->tail, r->fade) : 0.0f;
        for (uint32_t c = 0; c < r->channels; c++) *out++ = r->last[c] = g * r->held[c];
    }
}

static void start_tail(attacca_ring *r, enum state next) {
    memcpy(r->held, r->last, sizeof r->held);
    r->tail = r->fade;
    r->level = 0;
    r->state = next;
}

/* Frames from `taken` on, under the fades; stops early when a fade-out has come to silence. */
static uint64_t send_frames(attacca_ring *r, float *out, uint64_t taken, uint64_t frames,
                            int closing) {
    uint32_t channels = r->channels;
    uint64_t i = 0;
    while (i < frames) {
        const float *in = r->frames + ((taken + i) & r->mask) * channels;
        if (!closing && r->level == r->fade && !r->tail) {
            uint64_t run = r->capacity - ((taken + i) & r->mask);
            if (run > frames - i) run = frames - i;
            memcpy(out + i * channels, in, (size_t)run * channels * sizeof(float));
            i += run;
            continue;
        }
        if (closing && r->level == 0) break;
        if (closing)
            r->level--;
        else if (r->level < r->fade)
            r->level++;
        float g = curve(r->level, r->fade);
        float t = r->tail ? curve(--r->tail, r->fade) : 0.0f;
        for (uint32_t c = 0; c < channels; c++)
            out[i * channels + c] = g * in[c] + t * r->held[c];
        i++;
    }
    if (i) memcpy(r->last, out + (i - 1) * channels, channels * sizeof(float));
    return i;
}

static void fill_block(attacca_ring *r, float *out, uint64_t frames) {
    uint64_t taken = LOAD(r->taken), written = ACQUIRE(r->written);
    uint64_t flush_to = ACQUIRE(r->flush_to);
    int muted = ACQUIRE(r->muted);
    if (r->state == PLAYING && written - taken < LOAD(r->min_fill))
        atomic_store_explicit(&r->min_fill, written - taken, memory_order_relaxed);

    uint64_t done = 0;
    while (done < frames) {
        float *to = out + done * r->channels;
        uint64_t left = frames - done, ready = written - taken;
        int flushing = flush_to > taken && flush_to <= written;
        int closing = muted || flushing;
        if (closing && r->state == PLAYING && ready > 0 && r->level > 0) {
            uint64_t sent = send_frames(r, to, taken, ready < left ? ready : left, 1);
            taken += sent;
            done += sent;
        } else if (closing && r->state == PLAYING) {
            start_tail(r, WAITING); /* silent already, or ran dry while fading out */
        } else if (flushing) {
            ADD(r->flushed_frames, flush_to - taken);
            taken = flush_to;
            r->state = WAITING;
        } else if (muted) {
            send_tail(r, to, left);
            ADD(r->idle_frames, left);
            r->state = WAITING;
            done = frames;
        } else if (r->state != PLAYING) {
            uint64_t need = left > r->resume ? left : r->resume;
            if (r->settle) {
                r->settle -= r->settle < left ? r->settle : left;
            } else if (ready >= need || ready == r->capacity) {
                r->state = PLAYING;
                continue;
            }
            if (r->state == STARVED)
                ADD(r->missing_frames, left);
            else
                ADD(r->idle_frames, left);
            send_tail(r, to, left);
            done = frames;
        } else if (ready == 0) {
            ADD(r->underruns, 1);
            start_tail(r, STARVED);
            ADD(r->missing_frames, left);
            send_tail(r, to, left);
            done = frames;
        } else {
            uint64_t sent = send_frames(r, to, taken, ready < left ? ready : left, 0);
            taken += sent;
            done += sent;
        }
    }
    RELEASE(r->taken, taken);
}

/* PaStreamCallback: (input, output, frameCount, timeInfo, statusFlags, userData) -> paContinue. */
API int attacca_callback(const void *in, void *out, unsigned long frames, const void *time,
                         unsigned long flags, void *user) {
    (void)in;
    (void)time;
    attacca_ring *r = user;
    if (flags & OUTPUT_UNDERFLOW) ADD(r->output_underflows, 1);
    fill_block(r, out, frames);
    ADD(r->callbacks, 1);
    ADD(r->frames_out, frames);
    atomic_store_explicit(&r->last_block, frames, memory_order_relaxed);
    return 0;
}

/* -------------------------------------------------------------------------- any thread */

API void attacca_ring_mute(attacca_ring *r, int on) { RELEASE(r->muted, on ? 1 : 0); }

API void attacca_ring_flush(attacca_ring *r) { RELEASE(r->flush_to, ACQUIRE(r->written)); }

API void attacca_ring_stats(attacca_ring *r, attacca_stats *s) {
    s->underruns = LOAD(r->underruns);
    s->missing_frames = LOAD(r->missing_frames);
    s->idle_frames = LOAD(r->idle_frames);
    s->flushed_frames = LOAD(r->flushed_frames);
    s->callbacks = LOAD(r->callbacks);
    s->output_underflows = LOAD(r->output_underflows);
    s->frames_out = LOAD(r->frames_out);
    s->last_block = LOAD(r->last_block);
}

/* The lowest fill a callback has met while playing since the last call of this. */
API uint64_t attacca_ring_take_min_fill(attacca_ring *r) {
    return atomic_exchange_explicit(&r->min_fill, r->capacity, memory_order_relaxed);
}
