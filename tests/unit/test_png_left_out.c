/* What is not taken out of a PNG, and told. */
#include "img/codec.h"
#include "unit/meta.h"

/* A PNG of one grey pixel, to which chunks are added ahead of its pixels and behind them. */
static FILE *begin_png(const char *path)
{
    static const unsigned char header[13] = {0, 0, 0, 1, 0, 0, 0, 1, 8};
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite("\x89PNG\r\n\x1a\n", 1, 8, file), 8);
    write_chunk(file, "IHDR", header, sizeof header);
    return file;
}

static void put_pixels(FILE *file)
{
    unsigned char packed[32];
    uLongf bytes = sizeof packed;
    assert_int_equal(compress(packed, &bytes, (const Bytef *)"\0a", 2), Z_OK);
    write_chunk(file, "IDAT", packed, bytes);
}

static void end_png(FILE *file)
{
    write_chunk(file, "IEND", "", 0);
    assert_int_equal(fclose(file), 0);
}

static SlbImage load(const char *path)
{
    SlbImage image;
    SlbError err = {0};
    assert_ok(slb_image_load(path, NULL, &image, &err), &err);
    assert_int_equal(image.data[0], 'a');
    return image;
}

static void put_texts(FILE *file, int count)
{
    char text[32];
    for (int i = 0; i < count; i++) {
        int n = snprintf(text, sizeof text, "Key%cvalue %d", 0, i);
        write_chunk(file, "tEXt", text, (size_t)n);
    }
}

/* A thousand texts are kept, ahead of the pixels and behind them, XMP as the last; of more, the
 * first thousand, with a note. */
static void test_many_texts(void **state)
{
    static const char xmp[] = "XML:com.adobe.xmp\0\0\0\0\0<last/>";
    const char *path = in_folder("texts.png");
    (void)state;
    for (int late = 0; late < 2; late++)
        for (int texts = 999; texts <= 1000; texts++) {
            FILE *file = begin_png(path);
            if (late) put_pixels(file);
            put_texts(file, texts);
            write_chunk(file, "iTXt", xmp, sizeof xmp - 1);
            if (!late) put_pixels(file);
            end_png(file);
            SlbImage image = load(path);
            assert_true((image.meta.xmp.data != NULL) == (texts < 1000));
            assert_string_equal(image.meta.note,
                                texts < 1000 ? "" : "more than 1000 texts: the rest is left out");
            char last[16];
            int n = snprintf(last, sizeof last, "value %d", texts - 1);
            assert_non_null(
                memmem(image.meta.texts.data, image.meta.texts.bytes, last, (size_t)n + 1));
            slb_image_free(&image);
        }
    unlink(path);
}

/* Texts that cannot be unpacked take time, so that only some are tried. */
static void test_faulty_texts(void **state)
{
    const char *path = in_folder("texts.png");
    (void)state;
    for (int faulty = 15; faulty <= 16; faulty++) {
        FILE *file = begin_png(path);
        for (int i = 0; i < faulty; i++) write_chunk(file, "zTXt", "Key\0\0no zlib", 12);
        put_texts(file, 1);
        put_pixels(file);
        end_png(file);
        SlbImage image = load(path);
        assert_true((image.meta.texts.data != NULL) == (faulty < 16));
        assert_string_equal(
            image.meta.note,
            faulty < 16 ? "texts that cannot be unpacked are left out: 15"
                        : "16 faulty texts or more: these and all behind them are left out");
        slb_image_free(&image);
    }
    unlink(path);
}

/* A PNG with EXIF of 3 MiB ahead of its pixels, if that is wanted, and a text of 3 MiB there or
 * behind them. */
static void write_large(const char *path, bool exif, bool late)
{
    enum { BYTES = 3 << 20 };
    static char text[BYTES] = "Key";
    static const char block[BYTES] = "II*\0\10";
    FILE *file = begin_png(path);
    memset(text + 4, 'x', sizeof text - 4);
    if (exif) write_chunk(file, "eXIf", block, sizeof block);
    if (late) put_pixels(file);
    write_chunk(file, "tEXt", text, sizeof text);
    if (!late) put_pixels(file);
    end_png(file);
}

/* What the copies of metadata take while a picture is opened is bounded: it is refused, and nothing
 * left out for it. */
static void test_memory_for_metadata(void **state)
{
    static const struct {
        bool exif, late;
        unsigned few, enough; /* MiB; a text is there twice while it is read, and copied then */
    } cases[] = {{false, false, 11, 13},
                 {false, true, 11, 13},
                 {true, false, 16, 19},
                 {true, true, 16, 22},
                 {true, true, 1, 100}};
    const char *path = in_folder("large.png");
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        SlbReadLimits limits = {.meta_bytes = (uint64_t)cases[i].few << 20};
        SlbReader *reader = NULL;
        SlbError err = {0};
        char left[80];
        write_large(path, cases[i].exif, cases[i].late);
        assert_int_equal(slb_reader_open(path, &limits, &reader, &err), SLB_E_MEMORY);
        snprintf(left, sizeof left, "than the %u MiB that are left for them; raise", cases[i].few);
        assert_non_null(strstr(err.message, left));
        limits.meta_bytes = (uint64_t)cases[i].enough << 20;
        assert_ok(slb_reader_open(path, &limits, &reader, &err), &err);
        assert_true(slb_reader_meta(reader)->texts.bytes > 3 << 20);
        assert_true((slb_reader_meta(reader)->exif.data != NULL) == cases[i].exif);
        assert_string_equal(slb_reader_meta(reader)->note, "");
        slb_reader_close(reader);
    }
    unlink(path);
}

/* `types`, with spaces between them, as empty chunks. */
static void put_chunks(FILE *file, const char *types)
{
    for (; *types; types += types[4] ? 5 : 4) write_chunk(file, types, "", 0);
}

typedef struct Chunks {
    const char *ahead, *behind, *note;
} Chunks;

/* What is lost is told by its name, once; not what was true of the old pixels alone. */
static void test_chunks(void **state)
{
    static const Chunks cases[] = {
        {"", "", ""},
        {"sBIT bKGD hIST spAL gIFg gIFx iDOT prVW", "tIME", ""},
        {"sCAL oFFs", "", "chunks that are left out: sCAL, oFFs"},
        {"vpAg oFFs vpAg", "oFFs dSIG", "chunks that are left out: vpAg, oFFs, dSIG"},
        {"", "npTc tIME", "chunks that are left out: npTc"},
        {"aaAa bbBb ccCc ddDd eeEe ffFf", "ffFf",
         "chunks that are left out: aaAa, bbBb, ccCc, ddDd, eeEe, ffFf"},
        {"aaAa bbBb ccCc ddDd eeEe ffFf ggGg", "hhHh",
         "chunks that are left out: aaAa, bbBb, ccCc, ddDd, eeEe, ffFf and others"},
        {"caBX sTER", "", "its content credentials are left out; chunks that are left out: sTER"},
    };
    const char *path = in_folder("chunks.png");
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FILE *file = begin_png(path);
        put_chunks(file, cases[i].ahead);
        put_pixels(file);
        put_chunks(file, cases[i].behind);
        write_chunk(file, "IEND", "", 0);
        put_chunks(file, "zzZz"); /* behind the end: none of its chunks */
        assert_int_equal(fclose(file), 0);
        SlbImage image = load(path);
        assert_string_equal(image.meta.note, cases[i].note);
        slb_image_free(&image);
    }
    unlink(path);
}

/* Names come from outside; those that are none reach nobody's terminal. */
static void test_names_of_chunks(void **state)
{
    const char *path = in_folder("chunks.png");
    SlbReader *reader;
    SlbError err = {0};
    (void)state;
    FILE *file = begin_png(path);
    put_pixels(file);
    put_chunks(file, "a\x1b[m aaAa a*Aa");
    end_png(file);
    assert_ok(slb_reader_open(path, NULL, &reader, &err), &err); /* damage is told with the rows */
    assert_string_equal(slb_reader_meta(reader)->note, "chunks that are left out: aaAa");
    slb_reader_close(reader);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_texts),          cmocka_unit_test(test_faulty_texts),
        cmocka_unit_test(test_memory_for_metadata), cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_names_of_chunks),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
