/* safetensors files: round trip, and everything that must be refused. Run under AddressSanitizer
 * too: every damaged file is given in a block of exactly its size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/mem.h"
#include "net/safetensors.h"

static char path[64]; /* of this process alone: test programs run side by side */

static SlbStatus parse_exact(const void *data, size_t bytes, SlbError *err)
{
    unsigned char *exact = test_malloc(bytes ? bytes : 1);
    if (bytes) memcpy(exact, data, bytes);
    SlbTensorFile *file = NULL;
    SlbStatus s = slb_tensors_parse(exact, bytes, 0, "t", &file, err);
    if (s == SLB_OK) slb_tensors_close(file);
    test_free(exact);
    return s;
}

static SlbStatus parse_text(const char *header, size_t data_bytes, SlbError *err)
{
    uint64_t length = strlen(header);
    size_t bytes = 8 + length + data_bytes;
    unsigned char *whole = test_calloc(bytes, 1);
    memcpy(whole, &length, 8);
    memcpy(whole + 8, header, length);
    SlbStatus s = parse_exact(whole, bytes, err);
    test_free(whole);
    return s;
}

static void make(unsigned char **data, size_t *bytes)
{
    static const float a[] = {1.5f, -2.0f, 3.25f, 0.0f, 7.0f, 8.0f};
    static const uint8_t b[] = {1, 2, 3};
    const SlbTensor t[] = {{"b", SLB_U8, 1, {3}, 3, b},
                           {"a", SLB_F32, 2, {2, 3}, 24, a},
                           {"e", SLB_F32, 1, {0}, 0, a}};
    const SlbTensorMeta meta[] = {{"net", "line 1\nline \"2\"\n"}, {"empty", ""}};
    SlbError err = {0};
    assert_int_equal(slb_tensors_write(path, t, 3, meta, 2, true, &err), SLB_OK);
    assert_int_equal(slb_read_file(path, 1 << 20, SLB_E_MODEL, data, bytes, &err), SLB_OK);
    unlink(path);
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    unsigned char *data;
    size_t bytes;
    make(&data, &bytes);
    uint64_t header;
    memcpy(&header, data, 8);
    assert_int_equal(header % 8, 0);
    SlbError err = {0};
    SlbTensorFile *file;
    assert_int_equal(slb_tensors_parse(data, bytes, 1, "t", &file, &err), SLB_OK);
    assert_int_equal(slb_tensors_count(file), 3);
    const SlbTensor *a = slb_tensors_find(file, "a");
    assert_non_null(a);
    assert_int_equal(a->dtype, SLB_F32);
    assert_int_equal(a->dims, 2);
    assert_int_equal(a->shape[0] * 10 + a->shape[1], 23);
    float v;
    memcpy(&v, (const char *)a->data + 8, 4);
    assert_true(v == 3.25f);
    assert_memory_equal(slb_tensors_find(file, "b")->data, "\1\2\3", 3);
    assert_null(slb_tensors_find(file, "c"));
    assert_string_equal(slb_tensors_meta(file, "net"), "line 1\nline \"2\"\n");
    assert_string_equal(slb_tensors_meta(file, "empty"), "");
    assert_null(slb_tensors_meta(file, "absent"));
    assert_int_equal(strlen(slb_tensors_meta(file, "crc32")), 8);
    slb_tensors_close(file);
}

static void test_every_cut_and_every_flipped_data_byte_is_found(void **state)
{
    (void)state;
    unsigned char *data;
    size_t bytes;
    make(&data, &bytes);
    SlbError err;
    assert_int_equal(parse_exact(data, bytes, &err), SLB_OK);
    for (size_t n = 0; n < bytes; n++) assert_int_equal(parse_exact(data, n, &err), SLB_E_MODEL);
    for (size_t i = bytes - 27; i < bytes; i++) {
        data[i] ^= 0x10;
        assert_int_equal(parse_exact(data, bytes, &err), SLB_E_MODEL);
        assert_non_null(strstr(err.message, "checksum"));
        data[i] ^= 0x10;
    }
    unsigned char *longer = test_calloc(bytes + 1, 1);
    memcpy(longer, data, bytes);
    assert_int_equal(parse_exact(longer, bytes + 1, &err), SLB_E_MODEL);
    test_free(longer);
    for (size_t i = 0; i < bytes; i++) /* whatever comes of it, nothing is read out of bounds */
        for (int bit = 0; bit < 8; bit++) {
            data[i] ^= (unsigned char)(1 << bit);
            SlbStatus s = parse_exact(data, bytes, &err);
            assert_true(s == SLB_OK || s == SLB_E_MODEL);
            data[i] ^= (unsigned char)(1 << bit);
        }
    slb_free(data);
}

#define SIXTY_FOUR "0123456789012345678901234567890123456789012345678901234567890123"
#define T(shape, offsets) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_headers_that_lie_are_refused(void **state)
{
    (void)state;
    SlbError err = {0};
    assert_int_equal(parse_text("{\"a\":" T("[2]", "[0,8]") "}", 8, &err), SLB_OK);
    assert_int_equal(
        parse_text("{\"a\":" T("[2]", "[4,12]") ",\"b\":" T("[]", "[0,4]") "} ", 12, &err),
        SLB_OK); /* any order, a scalar, spaces behind */
    static const char *const types[] = {"BOOL", "I8",  "F8_E5M2", "F8_E4M3", "I16", "U16",
                                        "F16",  "I32", "U32",     "F64",     "I64", "U64"};
    static const size_t sizes[] = {1, 1, 1, 1, 2, 2, 2, 4, 4, 8, 8, 8};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) { /* whatever the type */
        char text[128];
        snprintf(text, sizeof text,
                 "{\"a\":{\"dtype\":\"%s\",\"shape\":[3],\"data_offsets\":[0,%zu]}}", types[i],
                 3 * sizes[i]);
        if (parse_text(text, 3 * sizes[i], &err) != SLB_OK) fail_msg("%s", err.message);
    }
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *message;
    } bad[] = {
        {"", 0, "no JSON"},
        {"[]", 0, "no JSON"},
        {"{", 0, "no JSON"},
        {"{} x", 0, "no JSON"},
        {" {}", 0, "no JSON"},
        {"{}", 1, "behind the last"},
        {"{\"a\":3}", 0, "each once"},
        {"{\"a\":{}}", 0, "each once"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"U8\",\"shape\":[]}}", 0, "each once"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8,
         "each once"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1,
         "t: cannot be used: tensor 'a': its dtype is not known"},
        {"{\"a\":" T("[2]", "[0,8]") ",\"a\":" T("[2]", "[8,16]") "}", 16, "twice"},
        {"{\"a\":" T("[2]", "[0,8]") ",\"b\":" T("[2]", "[4,12]") "}", 12, "overlaps"},
        {"{\"a\":" T("[2]", "[0,8]") ",\"b\":" T("[2]", "[0,8]") "}", 8, "overlaps"},
        {"{\"a\":" T("[2]", "[0,8]") ",\"b\":" T("[2]", "[12,20]") "}", 20, "gap"},
        {"{\"a\":" T("[2]", "[4,12]") "}", 12, "gap"},
        {"{\"a\":" T("[2]", "[0,8]") "}", 9, "behind the last"},
        {"{\"a\":" T("[2]", "[0,8]") "}", 7, "outside"},
        {"{\"a\":" T("[2]", "[8,0]") "}", 8, "outside"},
        {"{\"a\":" T("[2]", "[0]") "}", 8, "outside"},
        {"{\"a\":" T("[2]", "[0,8,9]") "}", 8, "outside"},
        {"{\"a\":" T("[2]", "[-8,0]") "}", 8, "outside"},
        {"{\"a\":" T("[2]", "[0,1e99]") "}", 8, "outside"},
        {"{\"a\":" T("[3]", "[0,8]") "}", 8, "do not fit"},
        {"{\"a\":" T("[2.5]", "[0,8]") "}", 8, "whole"},
        {"{\"a\":" T("[-2]", "[0,8]") "}", 8, "whole"},
        {"{\"a\":" T("[\"2\"]", "[0,8]") "}", 8, "whole"},
        {"{\"a\":" T("[4294967296,4294967296]", "[0,0]") "}", 0, "do not fit"},
        {"{\"a\":" T("[9007199254740992,2048]", "[0,0]") "}", 0, "do not fit"},
        {"{\"a\":" T("[1,1,1,1,1,2]", "[0,8]") "}", 8, "cannot be used: tensor 'a': it has more"},
        {"{\"\":" T("[2]", "[0,8]") "}", 8, "name"},
        {"{\"" SIXTY_FOUR SIXTY_FOUR "\":" T("[2]", "[0,8]") "}", 8, "cannot be used"},
        {"{\"__metadata__\":[]}", 0, "__metadata__"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "not a string"},
        {"{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", 0, "__metadata__"},
        {"{\"__metadata__\":{\"crc32\":\"12345678\"}}", 0, "checksum"},
        {"{\"__metadata__\":{\"crc32\":\"\"}}", 0, "checksum"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(parse_text(bad[i].header, bad[i].data_bytes, &err), SLB_E_MODEL);
        if (!strstr(err.message, bad[i].message))
            fail_msg("%s: '%s' lacks '%s'", bad[i].header, err.message, bad[i].message);
    }
}

static void test_a_pytorch_checkpoint_is_told_from_damage(void **state)
{
    (void)state;
    SlbError err = {0};
    assert_int_equal(parse_exact("PK\3\4\0\0\0\0archive", 15, &err), SLB_E_MODEL);
    assert_non_null(strstr(err.message, "save_file"));
}

static void test_deep_and_huge_headers_are_refused(void **state)
{
    (void)state;
    SlbError err = {0};
    char *deep = test_calloc(200001, 1);
    memset(deep, '[', 200000);
    memcpy(deep, "{\"a\":", 5);
    assert_int_equal(parse_text(deep, 0, &err), SLB_E_MODEL);
    test_free(deep);
    static const uint64_t lengths[] = {UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, 9, 1 << 30};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        unsigned char file[16] = {0};
        memcpy(file, &lengths[i], 8);
        assert_int_equal(parse_exact(file, 16, &err), SLB_E_MODEL);
    }
    char *many = test_malloc(2000000); /* 22000 tensors of no bytes */
    size_t n = (size_t)sprintf(many, "{\"x\":" T("[0]", "[0,0]"));
    for (int i = 0; i < 22000; i++) n += (size_t)sprintf(many + n, ",\"%d\":" T("[0]", "[0,0]"), i);
    strcpy(many + n, "}");
    assert_int_equal(parse_text(many, 0, &err), SLB_E_MODEL);
    assert_non_null(strstr(err.message, "more than"));
    test_free(many);
}

static void test_writing_checks_sizes_and_existing_files(void **state)
{
    (void)state;
    SlbError err = {0};
    float a[2] = {0};
    SlbTensor t = {"a", SLB_F32, 1, {3}, 8, a};
    assert_int_equal(slb_tensors_write(path, &t, 1, NULL, 0, true, &err), SLB_E_USAGE);
    t.shape[0] = 2;
    assert_int_equal(slb_tensors_write(path, &t, 1, NULL, 0, true, &err), SLB_OK);
    assert_int_equal(slb_tensors_write(path, &t, 1, NULL, 0, false, &err), SLB_E_OUTPUT);
    SlbTensorFile *file;
    assert_int_equal(slb_tensors_open(path, &file, &err), SLB_OK);
    slb_tensors_close(file);
    FILE *longer = fopen(path, "ab");
    assert_non_null(longer);
    assert_int_equal(fputc(0, longer), 0);
    assert_int_equal(fclose(longer), 0);
    assert_int_equal(slb_tensors_open(path, &file, &err), SLB_E_MODEL);
    assert_non_null(strstr(err.message, "more behind"));
    unlink(path);
    assert_int_equal(slb_tensors_open(path, &file, &err), SLB_E_MODEL);
    assert_int_equal(slb_tensors_open("/dev/zero", &file, &err), SLB_E_MODEL); /* not to its end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_every_cut_and_every_flipped_data_byte_is_found),
        cmocka_unit_test(test_headers_that_lie_are_refused),
        cmocka_unit_test(test_a_pytorch_checkpoint_is_told_from_damage),
        cmocka_unit_test(test_deep_and_huge_headers_are_refused),
        cmocka_unit_test(test_writing_checks_sizes_and_existing_files),
    };
    snprintf(path, sizeof path, "/tmp/slbsr_test_safetensors_%ld", (long)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
