/* Products of float32 rows with integer weights, as fast as this file can make them: what an operator could do here.

Weights are unsigned, with a zero point of 128 (8 bits) or 8 (4 bits) and a float32 scale for each block of a column, as
in ONNX Runtime's MatMulNBits. Activations become int8, with a scale for each block of each row. Two layouts, both of as
many bytes as the operator's own, which is copied into another layout anyway when a session is opened:

  columns  (columns / 4, blocks, 4, block): four columns side by side, as MLAS packs them. 4 bits: of 128 values, the
           first 64 are the low halves of bytes. Scales (columns / 4, blocks / group, 4, group), and a second array of
           floats, the zero point times each scale, (columns / 16, blocks, 16).
  lanes    (columns / 16, length / 4, 16, 4): each lane of a register is a column. This is AMX's tile as well. 4 bits:
           a line holds one quadruple of values in its low halves and the next one in its high halves.
           Scales (columns / 16, blocks, 16). Nothing else is read: the zero point times a block's sum of activations is
           where its sum of products begins. */

#define _GNU_SOURCE
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define INLINE static inline __attribute__((always_inline))
#define TILE 16      /* rows of a tile, and columns of one */
#define DEPTH 64     /* bytes of a tile's row */
#define PASSES 8     /* rows that share a line of weights without AMX */
#define SUBBLOCK 128 /* values that the walk by columns takes at once */
#define AHEAD 4096   /* bytes from the line in use to the one asked for */
#define SHARE 64     /* columns that a thread takes at a time */
#define PATIENCE 10000 /* pauses of a thread that waits, until it lets others run */
#define REQUEST_PERMISSION 0x1023
#define TILE_DATA 18

typedef struct {
    int64_t length, columns, block;
    const uint8_t *data;
    const float *scales, *offsets;
} Matrix;

typedef struct {
    int8_t *values;  /* (rows, length) */
    float *scales;   /* (rows, blocks) */
    int32_t *sums;   /* (rows, blocks), of values */
    int64_t count;
} Rows;

typedef void Kernel(const Matrix *, const Rows *, int64_t first, int64_t last, float *out);

/* ---- activations ---- */

static void quantize_row(const float *x, const Matrix *m, const Rows *rows, int64_t row) {
    int64_t blocks = m->length / m->block;
    for (int64_t k = 0; k < blocks; k++) {
        const float *from = x + row * m->length + k * m->block;
        int8_t *to = rows->values + row * m->length + k * m->block;
        __m512 largest = _mm512_setzero_ps();
        for (int64_t i = 0; i < m->block; i += 16)
            largest = _mm512_max_ps(largest, _mm512_abs_ps(_mm512_loadu_ps(from + i)));
        float magnitude = _mm512_reduce_max_ps(largest);
        __m512 factor = _mm512_set1_ps(magnitude > 0 ? 127 / magnitude : 0);
        __m512i sum = _mm512_setzero_si512();
        for (int64_t i = 0; i < m->block; i += 16) {
            __m512i steps = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(from + i), factor));
            sum = _mm512_add_epi32(sum, steps);
            _mm_storeu_si128((__m128i *)(to + i), _mm512_cvtepi32_epi8(steps));
        }
        rows->scales[row * blocks + k] = magnitude / 127;
        rows->sums[row * blocks + k] = _mm512_reduce_add_epi32(sum);
    }
}

/* ---- by columns, one row ---- */

INLINE __m512i low_halves(__m512i bytes) { return _mm512_and_si512(bytes, _mm512_set1_epi8(15)); }
INLINE __m512i high_halves(__m512i bytes) { return low_halves(_mm512_srli_epi16(bytes, 4)); }

/* The products of 128 weights of a column, four to each sum; `second` of them apart, for blocks below 128. */
INLINE __m512i multiply_column(const uint8_t *data, int bits, __m512i a0, __m512i a1, __m512i *second) {
    __m512i first = _mm512_loadu_si512(data), zero = _mm512_setzero_si512();
    __m512i b0 = bits == 8 ? first : low_halves(first);
    __m512i b1 = bits == 8 ? _mm512_loadu_si512(data + 64) : high_halves(first);
    __m512i products = _mm512_dpbusd_epi32(zero, b0, a0);
    if (!second)
        return _mm512_dpbusd_epi32(products, b1, a1);
    *second = _mm512_dpbusd_epi32(zero, b1, a1);
    return products;
}

/* Sums of two blocks in turns, two by two. */
INLINE __m512i interleave(__m512i a, __m512i b) {
    return _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
}

INLINE void ask_ahead(const uint8_t *data, int bits, int is_ahead) {
    for (int i = 0; is_ahead && i < 16 * bits; i += 64)
        _mm_prefetch((const char *)data + AHEAD + i, _MM_HINT_T0);
}

INLINE void walk_columns(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out, int bits,
                         int group, int is_ahead) {
    int64_t blocks = m->length / m->block, bytes = SUBBLOCK * bits / 8;
    const __m512i spread = _mm512_setr_epi32(0, 2, 0, 2, 0, 2, 0, 2, 1, 3, 1, 3, 1, 3, 1, 3);
    for (int64_t n = first; n < last; n += 4) {
        const uint8_t *data = m->data + n * m->length * bits / 8;
        const float *scales = m->scales + n * blocks;
        __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
        for (int64_t k = 0; k < m->length; k += group == 2 ? 2 * SUBBLOCK : SUBBLOCK) {
            const float *factors = rows->scales + k / m->block;
            const int8_t *a = rows->values + k;
            __m512i a0 = _mm512_loadu_si512(a), a1 = _mm512_loadu_si512(a + 64);
            for (int c = 0; c < 4; c++) {
                __m512i products;
                __m512 factor;
                if (group == 1) { /* scales lie two by two: those of this block begin at its parity */
                    int odd = k / SUBBLOCK % 2;
                    products = multiply_column(data, bits, a0, a1, NULL);
                    factor = _mm512_set1_ps(factors[0] * scales[2 * c + odd]);
                } else if (group == 2) {
                    __m512i a2 = _mm512_loadu_si512(a + 128), a3 = _mm512_loadu_si512(a + 192);
                    products = interleave(multiply_column(data, bits, a0, a1, NULL),
                                          multiply_column(data + 4 * bytes, bits, a2, a3, NULL));
                    factor = _mm512_mul_ps(_mm512_castpd_ps(_mm512_set1_pd(*(const double *)factors)),
                                           _mm512_castpd_ps(_mm512_set1_pd(*(const double *)(scales + 2 * c))));
                    ask_ahead(data + 4 * bytes, bits, is_ahead);
                } else {
                    __m512i second, even = multiply_column(data, bits, a0, a1, &second);
                    products = interleave(even, second);
                    __m128 four = _mm_mul_ps(_mm_loadu_ps(factors), _mm_loadu_ps(scales + 4 * c));
                    factor = _mm512_permutexvar_ps(spread, _mm512_castps128_ps512(four));
                }
                sums[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), factor, sums[c]);
                ask_ahead(data, bits, is_ahead);
                data += bytes;
            }
            if (group == 2)
                data += 4 * bytes;
            scales += group == 4 ? 16 : group == 2 ? 8 : 8 * (k / SUBBLOCK % 2);
        }
        for (int c = 0; c < 4; c++)
            out[n + c] = _mm512_reduce_add_ps(sums[c]);
    }
    for (int64_t n = first; n < last; n += 16) { /* the zero points, from an array of their own */
        const float *offsets = m->offsets + n * blocks;
        __m512 sum = _mm512_loadu_ps(out + n);
        for (int64_t k = 0; k < blocks; k++)
            sum = _mm512_fmadd_ps(_mm512_set1_ps(rows->scales[k] * rows->sums[k]), _mm512_loadu_ps(offsets + 16 * k),
                                  sum);
        _mm512_storeu_ps(out + n, sum);
    }
}

#define BY_COLUMNS(NAME, BITS, GROUP, IS_AHEAD)                                                                       \
    void NAME(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out) {                           \
        walk_columns(m, rows, first, last, out, BITS, GROUP, IS_AHEAD);                                               \
    }
BY_COLUMNS(columns_8, 8, 1, 0)
BY_COLUMNS(columns_8_ahead, 8, 1, 1)
BY_COLUMNS(columns_8_pairs, 8, 2, 0)
BY_COLUMNS(columns_8_pairs_ahead, 8, 2, 1)
BY_COLUMNS(columns_4, 4, 1, 0)
BY_COLUMNS(columns_4_ahead, 4, 1, 1)
BY_COLUMNS(columns_4_pairs, 4, 2, 0)
BY_COLUMNS(columns_4_pairs_ahead, 4, 2, 1)
BY_COLUMNS(columns_4_of_32, 4, 4, 0)
BY_COLUMNS(columns_4_of_32_ahead, 4, 4, 1)

/* ---- by columns, two rows at once, as MLAS takes many ---- */

INLINE void walk_two_rows(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out, int bits,
                          int is_short) {
    int64_t blocks = m->length / m->block, bytes = SUBBLOCK * bits / 8;
    const __m512i spread = _mm512_setr_epi32(0, 2, 0, 2, 0, 2, 0, 2, 1, 3, 1, 3, 1, 3, 1, 3);
    for (int64_t row = 0; row < rows->count; row += 2)
        for (int64_t n = first; n < last; n += 4) {
            const uint8_t *data = m->data + n * m->length * bits / 8;
            const float *scales = m->scales + n * blocks;
            __m512 sums[2][4];
            for (int i = 0; i < 8; i++)
                sums[i / 4][i % 4] = _mm512_setzero_ps();
            for (int64_t k = 0; k < m->length; k += SUBBLOCK) {
                for (int c = 0; c < 4; c++, data += bytes)
                    for (int r = 0; r < 2; r++) {
                        const int8_t *a = rows->values + (row + r) * m->length + k;
                        const float *factors = rows->scales + (row + r) * blocks + k / m->block;
                        __m512i a0 = _mm512_loadu_si512(a), a1 = _mm512_loadu_si512(a + 64), products, second;
                        __m512 factor;
                        if (is_short) {
                            products = multiply_column(data, bits, a0, a1, &second);
                            products = interleave(products, second);
                            __m128 four = _mm_mul_ps(_mm_loadu_ps(factors), _mm_loadu_ps(scales + 4 * c));
                            factor = _mm512_permutexvar_ps(spread, _mm512_castps128_ps512(four));
                        } else {
                            products = multiply_column(data, bits, a0, a1, NULL);
                            factor = _mm512_set1_ps(factors[0] * scales[2 * c + k / SUBBLOCK % 2]);
                        }
                        sums[r][c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), factor, sums[r][c]);
                    }
                scales += is_short ? 16 : 8 * (k / SUBBLOCK % 2);
            }
            for (int i = 0; i < 8; i++)
                out[(row + i / 4) * m->columns + n + i % 4] = _mm512_reduce_add_ps(sums[i / 4][i % 4]);
        }
    for (int64_t row = 0; row < rows->count; row++)
        for (int64_t n = first; n < last; n += 16) {
            const float *offsets = m->offsets + n * blocks, *factors = rows->scales + row * blocks;
            float *to = out + row * m->columns + n;
            __m512 sum = _mm512_loadu_ps(to);
            for (int64_t k = 0; k < blocks; k++)
                sum = _mm512_fmadd_ps(_mm512_set1_ps(factors[k] * rows->sums[row * blocks + k]),
                                      _mm512_loadu_ps(offsets + 16 * k), sum);
            _mm512_storeu_ps(to, sum);
        }
}

#define TWO_ROWS(NAME, BITS, IS_SHORT)                                                                                \
    void NAME(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out) {                           \
        walk_two_rows(m, rows, first, last, out, BITS, IS_SHORT);                                                     \
    }
TWO_ROWS(two_rows_8, 8, 0)
TWO_ROWS(two_rows_4, 4, 0)
TWO_ROWS(two_rows_4_of_32, 4, 1)

/* ---- by lanes ---- */

INLINE __m512i broadcast_four(const int8_t *values) {
    int32_t four;
    memcpy(&four, values, 4);
    return _mm512_set1_epi32(four);
}

INLINE void walk_lanes(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out, int bits,
                       int is_ahead) {
    int64_t blocks = m->length / m->block;
    for (int64_t n = first; n < last; n += TILE) {
        const uint8_t *data = m->data + n * m->length * bits / 8;
        const float *scales = m->scales + n * blocks;
        __m512 sum = _mm512_setzero_ps();
        for (int64_t k = 0; k < blocks; k++) {
            const int8_t *a = rows->values + k * m->block;
            __m512i s[4] = {_mm512_set1_epi32(-(1 << (bits - 1)) * rows->sums[k]), _mm512_setzero_si512(),
                            _mm512_setzero_si512(), _mm512_setzero_si512()};
            for (int64_t i = 0; i < m->block; i += 16) {
                if (bits == 8)
                    for (int j = 0; j < 4; j++)
                        s[j] = _mm512_dpbusd_epi32(s[j], _mm512_loadu_si512(data + 64 * j), broadcast_four(a + i + 4 * j));
                else
                    for (int j = 0; j < 4; j += 2) {
                        __m512i line = _mm512_loadu_si512(data + 32 * j);
                        s[j] = _mm512_dpbusd_epi32(s[j], low_halves(line), broadcast_four(a + i + 4 * j));
                        s[j + 1] = _mm512_dpbusd_epi32(s[j + 1], high_halves(line), broadcast_four(a + i + 4 * j + 4));
                    }
                for (int j = 0; is_ahead && j < 32 * bits; j += 64)
                    _mm_prefetch((const char *)data + AHEAD + j, _MM_HINT_T0);
                data += 32 * bits;
            }
            __m512i products = _mm512_add_epi32(_mm512_add_epi32(s[0], s[1]), _mm512_add_epi32(s[2], s[3]));
            __m512 factor = _mm512_mul_ps(_mm512_set1_ps(rows->scales[k]), _mm512_loadu_ps(scales + TILE * k));
            sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), factor, sum);
        }
        _mm512_storeu_ps(out + n, sum);
    }
}

#define BY_LANES(NAME, BITS, IS_AHEAD)                                                                                \
    void NAME(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out) {                           \
        walk_lanes(m, rows, first, last, out, BITS, IS_AHEAD);                                                        \
    }
BY_LANES(lanes_8, 8, 0)
BY_LANES(lanes_8_ahead, 8, 1)
BY_LANES(lanes_4, 4, 0)
BY_LANES(lanes_4_ahead, 4, 1)

/* ---- many rows: 16 columns at a time, whose halves are taken apart once ---- */

static const uint8_t *unpack(const Matrix *m, int64_t n, int bits, uint8_t *scratch) {
    const uint8_t *data = m->data + n * m->length * bits / 8;
    if (bits == 8)
        return data;
    for (int64_t i = 0; i < m->length * TILE / 2; i += 64) {
        __m512i line = _mm512_loadu_si512(data + i);
        _mm512_store_si512(scratch + 2 * i, low_halves(line));
        _mm512_store_si512(scratch + 2 * i + 64, high_halves(line));
    }
    return scratch;
}

INLINE void multiply_passes(const Matrix *m, const Rows *rows, int64_t row, const uint8_t *data, const float *scales,
                            int zero, float *out) {
    int64_t blocks = m->length / m->block;
    __m512 sums[PASSES];
    for (int r = 0; r < PASSES; r++)
        sums[r] = _mm512_setzero_ps();
    for (int64_t k = 0; k < blocks; k++) {
        __m512i s[PASSES];
        for (int r = 0; r < PASSES; r++)
            s[r] = _mm512_set1_epi32(-zero * rows->sums[(row + r) * blocks + k]);
        for (int64_t i = 0; i < m->block; i += 4, data += 64) {
            __m512i line = _mm512_loadu_si512(data);
            for (int r = 0; r < PASSES; r++)
                s[r] = _mm512_dpbusd_epi32(s[r], line, broadcast_four(rows->values + (row + r) * m->length + k * m->block + i));
        }
        __m512 scale = _mm512_loadu_ps(scales + TILE * k);
        for (int r = 0; r < PASSES; r++)
            sums[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s[r]),
                                      _mm512_mul_ps(_mm512_set1_ps(rows->scales[(row + r) * blocks + k]), scale), sums[r]);
    }
    for (int r = 0; r < PASSES; r++)
        _mm512_storeu_ps(out + (row + r) * m->columns, sums[r]);
}

/* The products of a block, (16, 16) int32. GCC takes the numbers of tiles as constants alone. */
#define MULTIPLY_TILES(SUMS, A, B)                                                                                    \
    do {                                                                                                              \
        _tile_zero(SUMS);                                                                                             \
        for (int64_t i = 0; i < m->block; i += depth) {                                                               \
            _tile_loadd(A, a + i, m->length);                                                                         \
            _tile_loadd(B, data, DEPTH);                                                                              \
            _tile_dpbsud(SUMS, A, B);                                                                                 \
            data += TILE * depth;                                                                                     \
        }                                                                                                             \
        a += m->block;                                                                                                \
    } while (0)

INLINE void scale_tile(const int32_t *products, const Rows *rows, int64_t at, int64_t blocks, __m512 scale, int zero,
                       __m512 *sums) {
#pragma GCC unroll 16
    for (int r = 0; r < TILE; r++) {
        __m512i offset = _mm512_set1_epi32(zero * rows->sums[at + r * blocks]);
        __m512 exact = _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_load_si512(products + TILE * r), offset));
        sums[r] = _mm512_fmadd_ps(exact, _mm512_mul_ps(_mm512_set1_ps(rows->scales[at + r * blocks]), scale), sums[r]);
    }
}

/* Two blocks at a time, each with tiles of its own: the processor multiplies one while it scales the other. */
INLINE void multiply_tiles(const Matrix *m, const Rows *rows, int64_t row, const uint8_t *data, const float *scales,
                           int zero, float *out) {
    int64_t blocks = m->length / m->block, depth = m->block < DEPTH ? m->block : DEPTH;
    const int8_t *a = rows->values + row * m->length;
    __m512 sums[TILE];
    int32_t even[TILE * TILE] __attribute__((aligned(64))), odd[TILE * TILE] __attribute__((aligned(64)));
#pragma GCC unroll 16
    for (int r = 0; r < TILE; r++)
        sums[r] = _mm512_setzero_ps();
    for (int64_t k = 0; k < blocks; k += 2) {
        MULTIPLY_TILES(0, 1, 2);
        _tile_stored(0, even, 4 * TILE);
        MULTIPLY_TILES(3, 4, 5);
        _tile_stored(3, odd, 4 * TILE);
        scale_tile(even, rows, row * blocks + k, blocks, _mm512_loadu_ps(scales + TILE * k), zero, sums);
        scale_tile(odd, rows, row * blocks + k + 1, blocks, _mm512_loadu_ps(scales + TILE * (k + 1)), zero, sums);
    }
#pragma GCC unroll 16
    for (int r = 0; r < TILE; r++)
        _mm512_storeu_ps(out + (row + r) * m->columns, sums[r]);
}

/* Every A tile has `rows` rows, and every tile `depth` values of a column. */
static void configure_tiles(int rows, int depth) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } tiles __attribute__((aligned(64))) = {.palette = 1};
    for (int i = 0; i < 6; i++) {
        int kind = i % 3; /* sums, activations, weights */
        tiles.rows[i] = kind == 2 ? depth / 4 : rows;
        tiles.bytes[i] = kind == 1 ? depth : 4 * TILE;
    }
    __asm__ volatile("" ::"m"(tiles) : "memory"); /* GCC 12 takes the stores for unused */
    _tile_loadconfig(&tiles);
}

#define MANY_ROWS(NAME, BITS, MULTIPLY, STEP, BEGIN, END)                                                             \
    void NAME(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out) {                           \
        uint8_t *scratch = aligned_alloc(64, m->length * TILE);                                                       \
        BEGIN;                                                                                                        \
        for (int64_t n = first; n < last; n += TILE) {                                                                \
            const uint8_t *data = unpack(m, n, BITS, scratch);                                                        \
            for (int64_t row = 0; row < rows->count; row += STEP)                                                     \
                MULTIPLY(m, rows, row, data, m->scales + n * (m->length / m->block), 1 << (BITS - 1), out + n);       \
        }                                                                                                             \
        END;                                                                                                          \
        free(scratch);                                                                                                \
    }
#define CONFIGURE configure_tiles(TILE, m->block < DEPTH ? m->block : DEPTH)
MANY_ROWS(passes_8, 8, multiply_passes, PASSES, , )
MANY_ROWS(passes_4, 4, multiply_passes, PASSES, , )
MANY_ROWS(tiles_8, 8, multiply_tiles, TILE, CONFIGURE, _tile_release())
MANY_ROWS(tiles_4, 4, multiply_tiles, TILE, CONFIGURE, _tile_release())

/* ---- one scale for each column: one row in tiles ---- */

INLINE void multiply_channels(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out, int used) {
    int32_t sums[TILE * TILE] __attribute__((aligned(64)));
    configure_tiles(used, DEPTH);
    for (int64_t n = first; n < last; n += 2 * TILE) {
        const uint8_t *data = m->data + n * m->length;
        _tile_zero(0);
        _tile_zero(3);
        for (int64_t k = 0; k < m->length; k += DEPTH, data += TILE * DEPTH) {
            _tile_loadd(1, rows->values + k, m->length);
            _tile_loadd(2, data, DEPTH);
            _tile_dpbsud(0, 1, 2);
            _tile_loadd(5, data + TILE * m->length, DEPTH);
            _tile_dpbsud(3, 1, 5);
        }
        for (int i = 0; i < 2; i++) {
            if (i == 0)
                _tile_stored(0, sums, 4 * TILE);
            else
                _tile_stored(3, sums, 4 * TILE);
            __m512i exact = _mm512_sub_epi32(_mm512_load_si512(sums), _mm512_set1_epi32(128 * rows->sums[0]));
            __m512 factor = _mm512_mul_ps(_mm512_set1_ps(rows->scales[0]), _mm512_loadu_ps(m->scales + n + TILE * i));
            _mm512_storeu_ps(out + n + TILE * i, _mm512_mul_ps(_mm512_cvtepi32_ps(exact), factor));
        }
    }
    _tile_release();
}

void channels_16(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out) {
    multiply_channels(m, rows, first, last, out, TILE);
}

void channels_1(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out) {
    multiply_channels(m, rows, first, last, out, 1);
}

/* ---- nothing but reading ---- */

INLINE void read_all(const Matrix *m, int64_t first, int64_t last, float *out, int bits) {
    const uint8_t *data = m->data + first * m->length * bits / 8, *end = m->data + last * m->length * bits / 8;
    __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (; data < end; data += 256)
        for (int i = 0; i < 4; i++)
            sums[i] = _mm512_xor_si512(sums[i], _mm512_loadu_si512(data + 64 * i));
    __m512i all = _mm512_xor_si512(_mm512_xor_si512(sums[0], sums[1]), _mm512_xor_si512(sums[2], sums[3]));
    __m512 scales = _mm512_castsi512_ps(all);
    for (int64_t i = first * (m->length / m->block); i < last * (m->length / m->block); i += 16)
        scales = _mm512_add_ps(scales, _mm512_loadu_ps(m->scales + i));
    _mm512_storeu_ps(out + first, scales);
}

void read_8(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out) {
    (void)rows;
    read_all(m, first, last, out, 8);
}

void read_4(const Matrix *m, const Rows *rows, int64_t first, int64_t last, float *out) {
    (void)rows;
    read_all(m, first, last, out, 4);
}

/* ---- threads ---- */

typedef struct {
    Kernel *kernel;
    const Matrix *matrices;
    int64_t count;
    const float *x;
    float *out;
    Rows rows;
    int threads;
    atomic_int arrived, turn;
    atomic_long taken; /* columns, of all matrices one behind the other */
    double seconds;
} Job;

typedef struct {
    Job *job;
    int number;
} Worker;

static void meet(Job *job) {
    int turn = atomic_load(&job->turn);
    if (atomic_fetch_add(&job->arrived, 1) == job->threads - 1) {
        atomic_store(&job->arrived, 0);
        atomic_fetch_add(&job->turn, 1);
        return;
    }
    for (int i = 0; atomic_load(&job->turn) == turn; i++) {
        _mm_pause();
        if (i > PATIENCE)
            sched_yield();
    }
}

static double read_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

/* Threads take columns in turns: one that the system stops for a while holds up no more than its share. */
static void *work(void *given) {
    Worker *worker = given;
    Job *job = worker->job;
    meet(job);
    double began = read_clock();
    int64_t passed = 0, mine = atomic_fetch_add(&job->taken, SHARE);
    for (int64_t i = 0; i < job->count; i++) {
        const Matrix *m = job->matrices + i;
        for (int64_t row = worker->number; row < job->rows.count; row += job->threads)
            quantize_row(job->x, m, &job->rows, row);
        meet(job);
        for (; mine < passed + m->columns; mine = atomic_fetch_add(&job->taken, SHARE))
            job->kernel(m, &job->rows, mine - passed, mine - passed + SHARE, job->out);
        passed += m->columns;
        meet(job);
    }
    if (worker->number == 0)
        job->seconds = read_clock() - began;
    return NULL;
}

/* Ask Linux for the tiles of AMX; return 0 if it gives them to this process. */
int allow_tiles(void) { return (int)syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA); }

/* Multiply x (rows, length) with one matrix after the other, all threads meeting behind each; return the seconds.
`out` (rows, the most columns) holds the last product. */
double multiply(Kernel *kernel, const Matrix *matrices, int64_t count, const float *x, float *out, int64_t rows,
                int threads) {
    int64_t length = 0;
    for (int64_t i = 0; i < count; i++)
        length = matrices[i].length > length ? matrices[i].length : length;
    int64_t tiled = (rows + TILE - 1) / TILE * TILE; /* a tile reads 16 rows */
    Job job = {.kernel = kernel, .matrices = matrices, .count = count, .x = x, .out = out, .threads = threads};
    job.rows.count = rows;
    job.rows.values = aligned_alloc(64, tiled * length);
    job.rows.scales = calloc(tiled * length / 16, sizeof(float));
    job.rows.sums = calloc(tiled * length / 16, sizeof(int32_t));
    memset(job.rows.values, 0, tiled * length);
    pthread_t started[threads];
    Worker workers[threads];
    for (int i = threads - 1; i >= 0; i--) {
        workers[i] = (Worker){&job, i};
        if (i && pthread_create(&started[i], NULL, work, &workers[i]))
            abort();
    }
    work(&workers[0]);
    for (int i = 1; i < threads; i++)
        pthread_join(started[i], NULL);
    free(job.rows.values);
    free(job.rows.scales);
    free(job.rows.sums);
    return job.seconds;
}
