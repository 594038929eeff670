/* PNM files written out by hand: what their samples are, and which of them are none. */
#include "img/codec.h"
#include "unit/folder.h"

static SlbStatus load_text(const void *bytes, size_t n, SlbImage *image, SlbError *err)
{
    const char *path = in_folder("a.pnm");
    write_bytes(path, bytes, n);
    SlbStatus status = slb_image_load(path, NULL, image, err);
    if (status != SLB_OK) assert_message(err, status, path);
    unlink(path);
    return status;
}

typedef struct Good {
    const char *bytes;
    size_t n;
    SlbImageInfo info;
    uint16_t samples[12];
} Good;
#define BYTES(s) s, sizeof s - 1

static const Good good[] = {
    {BYTES("P1\n3 2\n0 1 0\n110"), {3, 2, 1, 8}, {255, 0, 255, 0, 0, 255}},
    {BYTES("P1 # a\n# b\n2 # c\n1\n10\n"), {2, 1, 1, 8}, {0, 255}},
    {BYTES("P2\n2 1\n255\n7 255\n"), {2, 1, 1, 8}, {7, 255}},
    {BYTES("P2\n2 2\n3\n0 1\n2 3"), {2, 2, 1, 8}, {0, 85, 170, 255}},
    {BYTES("P2 1 1 65535 513"), {1, 1, 1, 16}, {513}},
    {BYTES("P3\n1 2\n100\n0 50 100\n100 0 1\n"), {1, 2, 3, 8}, {0, 128, 255, 255, 0, 3}},
    {BYTES("P4\n10 2\n\x81\x40\xff\x80"),
     {10, 2, 1, 8},
     {0, 255, 255, 255, 255, 255, 255, 0, 255, 0, 0, 0}},
    {BYTES("P5\n3 1\n255\n\x00\x7f\xff"), {3, 1, 1, 8}, {0, 127, 255}},
    {BYTES("P5 3 1 15\n\x00\x07\x0f"), {3, 1, 1, 8}, {0, 119, 255}},
    {BYTES("P5\n2 1\n65535\n\x01\x02\xfe\xff"), {2, 1, 1, 16}, {0x0102, 0xfeff}},
    {BYTES("P5\n2 1\n1023\n\x03\xff\x00\x01"), {2, 1, 1, 16}, {65535, 64}},
    {BYTES("P5\n2 1\n256\n\x01\x00\x00\x80"), {2, 1, 1, 16}, {65535, 32768}},
    {BYTES("P6\n#x\n1 1\n255\n\x0a\x20#"), {1, 1, 3, 8}, {10, 32, '#'}}, /* white space is data */
    {BYTES("P6 1 1 65535 \x01\x02\x03\x04\x05\x06"), {1, 1, 3, 16}, {0x0102, 0x0304, 0x0506}},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n\1\2\3\4"),
     {1, 1, 4, 8},
     {1, 2, 3, 4}},
    {BYTES("P7\n# c\nMAXVAL 65535\nDEPTH 2\nHEIGHT 1\nWIDTH 1\nENDHDR\n\1\2\3\4"),
     {1, 1, 2, 16},
     {0x0102, 0x0304}},
    {BYTES("P7\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n\1\0"),
     {2, 1, 1, 8},
     {255, 0}},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE   RGB \nENDHDR\n\1\2\3"),
     {1, 1, 3, 8},
     {1, 2, 3}},
    {BYTES("P7\nTUPLTYPE\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\n"
           "ENDHDR\n\1\2"),
     {1, 1, 2, 8},
     {1, 2}},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE_ALPHA\nENDHDR\n"
           "\1\0"),
     {1, 1, 2, 8},
     {255, 0}},
};

static void test_good_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        SlbImage image;
        SlbError err = {0};
        assert_ok(load_text(good[i].bytes, good[i].n, &image, &err), &err);
        assert_memory_equal(&image.info, &good[i].info, sizeof image.info);
        uint32_t across = image.info.width * (uint32_t)image.info.channels;
        for (uint32_t k = 0; k < 12 && k < across * image.info.height; k++)
            if (sample_of(&image, 0, k / across, (int)(k % across)) != good[i].samples[k])
                fail_msg("file %zu, sample %u: %u", i, k,
                         sample_of(&image, 0, k / across, (int)(k % across)));
        slb_image_free(&image);
    }
}

/* Each good file cut short at every byte: the end is missed, unless only white space is gone. */
static void test_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t n = 0; n < good[i].n; n++) {
            SlbImage image;
            SlbError err = {0};
            SlbStatus status = load_text(good[i].bytes, n, &image, &err);
            bool text = good[i].bytes[1] <= '3'; /* "25" cut from "255" is a number too */
            if (status == SLB_OK) slb_image_free(&image);
            if (text && n + 4 > good[i].n) continue;
            assert_int_equal(status, SLB_E_INPUT);
        }
}

static const struct {
    const char *bytes;
    size_t n;
} bad[] = {
    {BYTES("P0\n1 1\n255\n\1")},
    {BYTES("P8\n1 1\n255\n\1")},
    {BYTES("P5x1 1\n255\n\1")},
    {BYTES("P5\n0 1\n255\n\1")},
    {BYTES("P5\n1 0\n255\n\1")},
    {BYTES("P5\n1 1\n0\n\1")},
    {BYTES("P5\n1 1\n65536\n\1\1")},
    {BYTES("P5\n-1 1\n255\n\1")},
    {BYTES("P5\n1 +1\n255\n\1")},
    {BYTES("P5\n1.5 1\n255\n\1")},
    {BYTES("P5\n99999999999999999999 1\n255\n\1")},
    {BYTES("P5\n4294967297 1\n255\n\1")},
    {BYTES("P5\n4294967295 4294967295\n255\n\1")},
    {BYTES("P5\n2147483647 2147483647\n255\n\1")},
    {BYTES("P6\n65536 65536\n65535\n\1")},
    {BYTES("P2\n1 1\n255\nx")},
    {BYTES("P2\n1 1\n255\n256")},
    {BYTES("P2\n1 1\n255\n-1")},
    {BYTES("P2\n1 1\n255\n99999999999999999999999")},
    {BYTES("P1\n2 1\n12")},
    {BYTES("P5\n1 1\n15\n\x10")},
    {BYTES("P5\n1 1\n1023\n\x04\x00")},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\n\1\2\3\4\5")},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 0\nMAXVAL 255\nENDHDR\n\1")},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nMAXVAL 255\nENDHDR\n\1")},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE CMYK\nENDHDR\n\1\2\3\4")},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n\1\2\3\4")},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n\1")},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n\1\2\3")},
    {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nTUPLTYPE X\nENDHDR\n"
           "\1\2\3")},
    {BYTES("P7\nWIDTH 1\nHEIGHT\nDEPTH 1\nMAXVAL 255\nENDHDR\n\1")},
    {BYTES("P7\nWIDTH -1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n\1")},
    {BYTES("P7\nWIDTH 9999999999\nHEIGHT 9999999999\nDEPTH 1\nMAXVAL 255\nENDHDR\n\1")},
};

static void test_bad_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        SlbImage image;
        SlbError err = {0};
        if (load_text(bad[i].bytes, bad[i].n, &image, &err) != SLB_E_INPUT)
            fail_msg("file %zu was read: %s", i, bad[i].bytes);
        assert_null(image.data);
    }
}

/* Pictures behind the first are told, white space and comments are not; a pipe that stays open and
 * has nothing more is not waited for. */
static void test_more_behind(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        bool more;
    } cases[] = {
        {BYTES("P5\n1 1\n255\nxP5\n1 1\n255\ny"), true},
        {BYTES("P5\n1 1\n255\nx\n\n"), false},
        {BYTES("P2\n1 1\n255\n7\n# the end\n"), false},
        {BYTES("P2\n1 1\n255\n7\nP2\n1 1\n255\n7\n"), true},
        {BYTES("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\n\1\2"), true},
    };
    static const char note[] = "more follows behind the picture: only this one is taken";
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int way = 0; way < 3; way++) { /* a file, a pipe, a pipe that stays open */
            SlbImage image;
            SlbReader *reader;
            SlbError err = {0};
            int ends[2] = {-1, -1};
            if (way == 0) {
                assert_ok(load_text(cases[i].bytes, cases[i].n, &image, &err), &err);
            } else {
                assert_int_equal(pipe(ends), 0);
                assert_int_equal(write(ends[1], cases[i].bytes, cases[i].n), cases[i].n);
                if (way == 1) close(ends[1]);
                FILE *file = fdopen(ends[0], "rb");
                assert_ok(slb_reader_open_file(file, "-", NULL, &reader, &err), &err);
                assert_ok(slb_image_read(reader, &image, &err), &err);
                slb_reader_close(reader);
                if (way == 2) close(ends[1]);
            }
            if (way < 2) assert_string_equal(image.meta.note, cases[i].more ? note : "");
            slb_image_free(&image);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_files),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_more_behind),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
