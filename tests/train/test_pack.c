/* Pack files: what they hold, that training from one is training from the folder, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/io.h"
#include "base/mem.h"
#include "img/codec.h"
#include "train/dataset.h"
#include "train/pack.h"
#include "train/pack_format.h"

static const char pictures[] = SLBSR_SOURCE_DIR "/data/hr";
static char folder[512], pack_path[600], other_path[600];

static void write_pack(void)
{
    SlbPackPlan *plan;
    assert_int_equal(slb_pack_plan(pictures, &plan, NULL), SLB_OK);
    uint64_t planned = slb_pack_report(plan)->bytes;
    assert_int_equal(slb_pack_write(plan, pack_path, true, 3, NULL, NULL, NULL), SLB_OK);
    assert_int_equal(slb_pack_report(plan)->pictures, 3);
    assert_int_equal(slb_pack_report(plan)->bytes, planned);
    slb_pack_plan_free(plan);
    struct stat st;
    assert_int_equal(stat(pack_path, &st), 0);
    assert_int_equal((uint64_t)st.st_size, planned);
}

static void test_samples(void **state)
{
    (void)state;
    SlbPack *pack;
    char **names;
    size_t count;
    write_pack();
    assert_true(slb_pack_is(pack_path));
    assert_int_equal(slb_pack_open(pack_path, &pack, NULL), SLB_OK);
    assert_int_equal(slb_dataset_files(pictures, &names, &count, NULL), SLB_OK);
    assert_int_equal(slb_pack_count(pack), count);
    for (size_t i = 0; i < count; i++) {
        SlbImage image = {0};
        SlbPacked p = slb_pack_at(pack, i);
        const SlbPackWindow whole = {i, 0, 0, p.width, p.height};
        slb_pack_expect(pack, &whole);
        assert_int_equal(slb_pack_check(pack, &whole, NULL), SLB_OK);
        assert_int_equal(slb_image_load(names[i], NULL, &image, NULL), SLB_OK);
        assert_int_equal(p.width, image.info.width);
        assert_int_equal(p.height, image.info.height);
        assert_int_equal(p.channels, image.info.channels);
        for (uint32_t y = 0; y < p.height; y++)
            assert_memory_equal(p.samples + (size_t)y * p.width * p.channels,
                                image.data + y * image.stride_bytes, p.width * p.channels);
        slb_image_free(&image);
    }
    slb_free_names(names, count);
    slb_pack_close(pack);
}

enum { SIDE = 24 };

/* The input is what a file of the smaller picture would hold: whole numbers, close to the means of
 * the target's blocks. */
static void check_small_input(const SlbPatchKey *key, const float *in, const float *target)
{
    size_t side = slb_patch_input_side(key), s = (size_t)key->scale;
    size_t channels = (size_t)key->channels;
    double error = 0;
    assert_int_equal(side * s, key->side);
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++)
            for (size_t c = 0; c < channels; c++) {
                double mean = 0, v = 255.0 * (double)in[(y * side + x) * channels + c];
                for (size_t i = 0; i < s * s; i++) {
                    size_t ty = y * s + i / s, tx = x * s + i % s;
                    mean += (double)target[(ty * SIDE + tx) * channels + c] / (double)(s * s);
                }
                assert_true(fabs(v - rint(v)) < 1e-4);
                error += fabs(v / 255.0 - mean);
            }
    assert_true(error / (double)slb_patch_inputs(key) < 0.03);
}

/* The patches of a folder and of its pack are the same, in every form. */
static void check_patches(int channels, bool enlarged)
{
    const char *const from_folder[] = {pictures}, *const from_pack[] = {pack_path};
    SlbDataset a, b;
    static float in[2][SIDE * SIDE * 3], target[2][SIDE * SIDE * 3];
    write_pack();
    assert_int_equal(slb_dataset_load(from_folder, 1, channels, SIDE + 4, 2, &a, NULL), SLB_OK);
    assert_int_equal(slb_dataset_load(from_pack, 1, channels, SIDE + 4, 2, &b, NULL), SLB_OK);
    assert_int_equal(a.count, b.count);
    for (uint64_t i = 0; i < 60; i++) {
        const SlbPatchKey key = {.seed = 1,
                                 .stream = 2,
                                 .index = i,
                                 .scale = 2 + (int)(i % 3),
                                 .side = SIDE,
                                 .channels = channels,
                                 .enlarged = enlarged};
        assert_int_equal(slb_dataset_patch(&a, &key, in[0], target[0], NULL), SLB_OK);
        assert_int_equal(slb_dataset_patch(&b, &key, in[1], target[1], NULL), SLB_OK);
        assert_memory_equal(in[0], in[1], sizeof in[0]);
        assert_memory_equal(target[0], target[1], sizeof target[0]);
        if (!enlarged) check_small_input(&key, in[0], target[0]);
    }
    slb_dataset_free(&a);
    slb_dataset_free(&b);
}

static void test_patches(void **state)
{
    (void)state;
    check_patches(1, true);
    check_patches(1, false);
    check_patches(3, false);
}

/* A copy of the pack, `bytes` long, with byte `at` changed. */
static void damaged_copy(size_t bytes, size_t at)
{
    unsigned char *data;
    size_t n;
    assert_int_equal(slb_read_file(pack_path, 1 << 24, SLB_E_INPUT, &data, &n, NULL), SLB_OK);
    if (bytes == 0 || bytes > n) bytes = n;
    if (at < bytes) data[at] ^= 0x10;
    FILE *file = fopen(other_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
    slb_free(data);
}

static void test_damage(void **state)
{
    (void)state;
    SlbPack *pack;
    SlbError err = {0};
    write_pack();
    assert_int_equal(slb_pack_open(pack_path, &pack, NULL), SLB_OK);
    SlbPacked first = slb_pack_at(pack, 0), second = slb_pack_at(pack, 1);
    size_t tiles = 0;
    for (uint64_t i = 0; i < 3; i++)
        tiles += slb_pack_tiles(slb_pack_at(pack, i).width, slb_pack_at(pack, i).height);
    slb_pack_close(pack);
    size_t end = 24 + 3 * 24 + 4 * tiles;
    for (size_t at = 0; at < end; at++) {
        if (at >= 20 && at < 24) continue; /* no meaning */
        damaged_copy(0, at);
        if (slb_pack_open(other_path, &pack, &err) != SLB_E_INPUT) fail_msg("byte %zu", at);
    }
    for (size_t bytes = 1; bytes < end + 200; bytes++) {
        damaged_copy(bytes, SIZE_MAX);
        if (slb_pack_open(other_path, &pack, &err) != SLB_E_INPUT) fail_msg("%zu bytes", bytes);
    }
    /* A sample of the second tile of the first column, and of no other. */
    assert_true(first.width > 128 && first.height > 128);
    damaged_copy(0, end + (70 * (size_t)first.width + 50) * first.channels);
    assert_int_equal(slb_pack_open(other_path, &pack, &err), SLB_OK);
    SlbPackWindow w = {0, 5, 5, 100, 59};
    assert_int_equal(slb_pack_check(pack, &w, &err), SLB_OK);
    w.height = 60;
    assert_int_equal(slb_pack_check(pack, &w, &err), SLB_E_INPUT);
    assert_non_null(strstr(err.message, other_path));
    w = (SlbPackWindow){0, 64, 0, first.width - 64, first.height};
    assert_int_equal(slb_pack_check(pack, &w, &err), SLB_OK);
    w = (SlbPackWindow){1, 0, 0, second.width, second.height};
    assert_int_equal(slb_pack_check(pack, &w, &err), SLB_OK);
    slb_pack_close(pack);
}

static void put_picture(const char *path, const char *kind, int width, int height)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fprintf(file, "%s %d %d 255\n", kind, width, height);
    int bytes = width * height * (kind[1] == '6' ? 3 : 1);
    for (int i = 0; i < bytes; i++) fputc(i % 251, file);
    assert_int_equal(fclose(file), 0);
}

/* A picture that is another one when its turn comes, if one of as many samples, is passed over. */
static void test_changed_meanwhile(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        int width, height;
    } rows[] = {{"P5", 64, 64}, {"P6", 4096, 1}, {"P6", 1, 4096}, {"P6", 128, 32}};
    char changing[600], other[600];
    snprintf(changing, sizeof changing, "%s/a.ppm", folder);
    snprintf(other, sizeof other, "%s/b.ppm", folder);
    put_picture(other, "P6", 30, 20);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SlbPackPlan *plan;
        SlbPack *pack;
        put_picture(changing, "P6", 64, 64);
        assert_int_equal(slb_pack_plan(folder, &plan, NULL), SLB_OK);
        assert_int_equal(slb_pack_report(plan)->pictures, 2);
        put_picture(changing, rows[i].kind, rows[i].width, rows[i].height);
        assert_int_equal(slb_pack_write(plan, pack_path, true, 1, NULL, NULL, NULL), SLB_OK);
        assert_int_equal(slb_pack_report(plan)->pictures, 1);
        assert_non_null(
            strstr(slb_pack_report(plan)->first_unreadable.message, "a.ppm: has changed"));
        slb_pack_plan_free(plan);
        assert_int_equal(slb_pack_open(pack_path, &pack, NULL), SLB_OK);
        assert_int_equal(slb_pack_at(pack, 0).width, 30);
        slb_pack_close(pack);
    }
    unlink(changing);
    unlink(other);
    unlink(pack_path);
}

static void test_refused(void **state)
{
    (void)state;
    SlbPackPlan *plan;
    SlbError err;
    write_pack();
    assert_int_equal(slb_pack_plan(pictures, &plan, NULL), SLB_OK);
    assert_int_equal(slb_pack_write(plan, pack_path, false, 1, NULL, NULL, &err), SLB_E_OUTPUT);
    slb_pack_plan_free(plan);
    assert_int_equal(slb_pack_plan(SLBSR_SOURCE_DIR "/nets", &plan, &err), SLB_E_INPUT);
    assert_int_equal(slb_pack_plan("no such folder", &plan, &err), SLB_E_INPUT);
    assert_false(slb_pack_is(pictures));
}

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/slbsr-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) return -1;
    snprintf(pack_path, sizeof pack_path, "%s/a.pack", folder);
    snprintf(other_path, sizeof other_path, "%s/b.pack", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(pack_path);
    unlink(other_path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_patches),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_changed_meanwhile),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
