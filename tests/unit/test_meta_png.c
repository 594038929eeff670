/* What stands behind the pixels of a PNG, of a file and of a pipe, and the texts of a PNG. */
#include <signal.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "img/codec.h"
#include "img/exif.h"
#include "unit/meta.h"

/* Puts EXIF of orientation 6 behind the pixels of a PNG, and the text `itxt` unless that is NULL.
 */
static void put_behind(const char *path, const char *itxt, size_t itxt_bytes)
{
    unsigned char exif[EXIF];
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    make_exif(exif, 0, 6);
    assert_int_equal(fseek(file, -12, SEEK_END), 0);
    write_chunk(file, "eXIf", exif, EXIF);
    if (itxt) write_chunk(file, "iTXt", itxt, itxt_bytes);
    write_chunk(file, "IEND", "", 0);
    assert_int_equal(fclose(file), 0);
}

/* EXIF and XMP behind the pixels, as exiftool puts them, are known when the file is opened; those
 * ahead of the pixels win. */
static void test_behind_the_pixels(void **state)
{
    (void)state;
    SlbImage image = noise(6, 3, 1, 8, 3);
    static const char itxt[] = "XML:com.adobe.xmp\0\0\0\0\0<late/>";
    SlbError err;
    SlbReader *reader;
    SlbWriteOptions how = {.overwrite = true};
    const char *path = in_folder("late.png");
    for (int early = 0; early < 2; early++) {
        if (early) set_block(&image.meta.xmp, "<early/>", 8);
        assert_ok(slb_image_save(path, &image, &how, &err), &err);
        put_behind(path, itxt, sizeof itxt - 1);
        assert_ok(slb_reader_open(path, NULL, &reader, &err), &err);
        assert_int_equal(slb_reader_orientation(reader), 6);
        assert_int_equal(slb_reader_meta(reader)->exif.bytes, EXIF);
        assert_string_equal((char *)slb_reader_meta(reader)->xmp.data,
                            early ? "<early/>" : "<late/>");
        slb_reader_close(reader);
    }
    SlbImage back;
    assert_ok(slb_image_load(path, NULL, &back, &err), &err);
    assert_int_equal(back.info.width, 3);
    assert_int_equal(slb_exif_orientation(back.meta.exif.data, EXIF), 1);
    assert_int_equal(get(back.meta.exif.data + 78 + 8, 2, 0), 3);
    unlink(path);
    slb_image_free(&back);
    slb_image_free(&image);
}

/* A file as it comes through a pipe, opened; it has to fit into one. */
static SlbStatus open_piped(const char *path, const SlbReadLimits *limits, SlbReader **reader,
                            SlbError *err)
{
    static char bytes[32768];
    int ends[2];
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    size_t n = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, n), n);
    close(ends[1]);
    return slb_reader_open_file(fdopen(ends[0], "rb"), "-", limits, reader, err);
}

/* A PNG of 6x3 pixels with EXIF behind them: orientation 6. */
static void write_late_exif(const char *path)
{
    SlbImage image = noise(6, 3, 1, 8, 3);
    SlbError err;
    SlbWriteOptions how = {.overwrite = true};
    assert_ok(slb_image_save(path, &image, &how, &err), &err);
    put_behind(path, NULL, 0);
    slb_image_free(&image);
}

/* The same of a pipe, also where no temporary file can be made. */
static void test_behind_the_pixels_of_a_pipe(void **state)
{
    (void)state;
    const char *path = in_folder("late.png");
    SlbImage whole, piped;
    SlbReader *reader;
    SlbError err;
    write_late_exif(path);
    assert_ok(slb_image_load(path, NULL, &whole, &err), &err);
    for (int round = 0; round < 2; round++) {
        if (round) setenv("TMPDIR", "/nowhere/to/be/found", 1);
        assert_ok(open_piped(path, NULL, &reader, &err), &err);
        unsetenv("TMPDIR");
        assert_int_equal(slb_reader_orientation(reader), 6);
        assert_int_equal(slb_reader_meta(reader)->exif.bytes, EXIF);
        assert_int_equal(slb_reader_bytes(reader) > 0, round); /* memory is counted */
        assert_ok(slb_image_read(reader, &piped, &err), &err);
        assert_same_picture(&whole, &piped);
        same_block(&whole.meta.exif, &piped.meta.exif);
        slb_image_free(&piped);
        slb_reader_close(reader);
    }
    slb_image_free(&whole);
    unlink(path);
}

/* A full disk for the copy of a pipe, played by a limit on the size of files. */
static void test_no_room_for_a_pipe(void **state)
{
    (void)state;
    const char *path = in_folder("late.png");
    struct rlimit before, small;
    SlbReader *reader = NULL;
    SlbError err = {0};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    write_late_exif(path);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    SlbStatus status = open_piped(path, NULL, &reader, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, SLB_E_OUTPUT);
    assert_message(&err, SLB_E_OUTPUT, "standard input");
    assert_non_null(strstr(err.message, strerror(EFBIG)));
    assert_non_null(strstr(err.message, "TMPDIR"));
    assert_null(reader);
    unlink(path);
}

/* Where no temporary file can be made, what is copied into memory has a limit. */
static void test_no_memory_for_a_pipe(void **state)
{
    (void)state;
    static const SlbReadLimits little = {.meta_bytes = 100}, enough = {.meta_bytes = 1 << 20};
    const char *path = in_folder("late.png");
    SlbReader *reader = NULL;
    SlbError err = {0};
    write_late_exif(path);
    setenv("TMPDIR", "/nowhere/to/be/found", 1);
    SlbStatus status = open_piped(path, &little, &reader, &err);
    assert_null(reader);
    assert_int_equal(status, SLB_E_MEMORY);
    assert_message(&err, SLB_E_MEMORY, "standard input");
    assert_non_null(strstr(err.message, "TMPDIR"));
    assert_ok(open_piped(path, &enough, &reader, &err), &err);
    unsetenv("TMPDIR");
    slb_reader_close(reader);
    unlink(path);
}

/* A grey PNG with texts of every kind ahead of its pixels or behind them. */
static void write_texts(const char *path, bool behind)
{
    static const char text[] = "parameters\0a cat, 20 steps",
                      title[] = "Title\0\0\0de\0Titel\0Gr\xc3\xb6\xc3\x9f"
                                "e",
                      stale[] = "Raw profile type exif\0x",
                      date[] = "date:create\0"
                               "2020",
                      faulty[] = " two  spaces\0x", empty[] = "Empty";
    unsigned char packed[64] = "Long\0", rest[512];
    uLongf room = sizeof packed - 6;
    char long_text[500];
    SlbImage image = noise(6, 3, 1, 8, 3);
    SlbWriteOptions how = {.overwrite = true};
    SlbError err;
    memset(long_text, 'x', sizeof long_text);
    assert_int_equal(compress(packed + 6, &room, (const Bytef *)long_text, sizeof long_text), Z_OK);
    assert_ok(slb_image_save(path, &image, &how, &err), &err);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, behind ? -12 : 33, behind ? SEEK_END : SEEK_SET), 0);
    long at = ftell(file);
    size_t n = fread(rest, 1, sizeof rest, file);
    fseek(file, at, SEEK_SET);
    write_chunk(file, "tEXt", text, sizeof text - 1);
    write_chunk(file, "iTXt", title, sizeof title - 1);
    write_chunk(file, "zTXt", packed, room + 6);
    write_chunk(file, "tEXt", stale, sizeof stale - 1);
    write_chunk(file, "tEXt", date, sizeof date - 1);
    write_chunk(file, "tEXt", faulty, sizeof faulty - 1);
    write_chunk(file, "tEXt", empty, sizeof empty);
    assert_int_equal(fwrite(rest, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    slb_image_free(&image);
}

/* Texts go from PNG to PNG through a change of size, but for those that would be wrong then; other
 * formats tell that they have none. */
static void check_texts_are_kept(bool behind)
{
    static const SlbMetaChange twice = {1, 2, 2, 12, 6};
    const char *path = in_folder("texts.png");
    SlbImage image, back;
    SlbMeta larger;
    SlbWriteOptions how = {.overwrite = true};
    SlbError err;
    char note[sizeof larger.note];
    write_texts(path, behind);
    assert_ok(slb_image_load(path, NULL, &image, &err), &err);
    assert_ok(slb_meta_derive(&image.meta, &twice, &larger, &err), &err);
    same_block(&image.meta.texts, &larger.texts);
    assert_ok(slb_writer_check(in_folder("a.jpg"), &image.info, &larger, NULL, note, &err), &err);
    assert_non_null(strstr(note, "JPEG holds no texts"));
    slb_meta_free(&image.meta);
    image.meta = larger;
    assert_ok(slb_image_save(path, &image, &how, &err), &err);
    assert_ok(slb_image_load(path, NULL, &back, &err), &err);
    same_block(&image.meta.texts, &back.meta.texts);
    static char bytes[2048];
    FILE *file = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_non_null(memmem(bytes, n, "tEXtparameters\0a cat, 20 steps", 30));
    assert_non_null(memmem(bytes, n,
                           "iTXtTitle\0\0\0de\0Titel\0Gr\xc3\xb6\xc3\x9f"
                           "e",
                           28));
    assert_non_null(memmem(bytes, n, "zTXtLong", 9));
    assert_non_null(memmem(bytes, n, "tEXtEmpty", 10));
    assert_null(memmem(bytes, n, "Raw profile", 11));
    assert_null(memmem(bytes, n, "date:", 5));
    assert_null(memmem(bytes, n, "two", 3));
    unlink(path);
    slb_image_free(&back);
    slb_image_free(&image);
}

static void test_texts_are_kept(void **state)
{
    (void)state;
    check_texts_are_kept(false);
    check_texts_are_kept(true);
}

/* Damage behind the pixels is told with the last row, and what stands ahead of them is known. */
static void test_damage_behind_the_pixels(void **state)
{
    (void)state;
    SlbImage image = noise(6, 3, 1, 8, 3), back;
    SlbWriteOptions how = {.overwrite = true};
    SlbReader *reader;
    SlbError err;
    const char *path = in_folder("late.png");
    set_block(&image.meta.xmp, "<early/>", 8);
    assert_ok(slb_image_save(path, &image, &how, &err), &err);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -12, SEEK_END), 0);
    write_chunk(file, "tEXt", "Title\0late", 10);
    assert_int_equal(fseek(file, -4, SEEK_CUR), 0);
    assert_int_equal(fwrite("oops", 1, 4, file), 4);
    write_chunk(file, "IEND", "", 0);
    assert_int_equal(fclose(file), 0);
    assert_ok(slb_reader_open(path, NULL, &reader, &err), &err);
    assert_string_equal((char *)slb_reader_meta(reader)->xmp.data, "<early/>");
    assert_int_equal(slb_reader_meta(reader)->texts.bytes, 0);
    slb_reader_close(reader);
    assert_int_equal(slb_image_load(path, NULL, &back, &err), SLB_E_INPUT);
    unlink(path);
    slb_image_free(&image);
}

/* Puts chunks behind the header of a PNG. */
static void insert_chunk(const char *path, const char *type, const void *data, size_t bytes)
{
    static unsigned char rest[32768];
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 33, SEEK_SET), 0);
    size_t n = fread(rest, 1, sizeof rest, file);
    assert_int_equal(fseek(file, 33, SEEK_SET), 0);
    write_chunk(file, type, data, bytes);
    assert_int_equal(fwrite(rest, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* The coding of colours goes from PNG to PNG, ahead of palette and pixels, also where there is
 * metadata behind them; other formats tell. Of two the first counts; one of another length is none.
 */
static void test_cicp(void **state)
{
    (void)state;
    static const uint8_t pq[4] = {9, 16, 0, 1}, srgb[4] = {1, 13, 0, 1};
    const char *path = in_folder("cicp.png");
    SlbImage image, back;
    SlbError err;
    char note[SLB_NOTE_BYTES];
    static char bytes[4096];
    write_late_exif(path);
    insert_chunk(path, "cICP", srgb, 4);
    insert_chunk(path, "cICP", pq, 4);
    insert_chunk(path, "cICP", "?????", 5);
    assert_ok(slb_image_load(path, NULL, &image, &err), &err);
    assert_int_equal(slb_exif_orientation(image.meta.exif.data, image.meta.exif.bytes), 1);
    assert_true(image.meta.has_cicp);
    assert_memory_equal(image.meta.cicp, pq, 4);
    assert_string_equal(image.meta.note, "");
    unlink(path);
    assert_ok(slb_image_save_noting(path, &image, NULL, note, &err), &err);
    assert_string_equal(note, "");
    assert_ok(slb_image_load(path, NULL, &back, &err), &err);
    assert_true(back.meta.has_cicp);
    assert_memory_equal(back.meta.cicp, pq, 4);
    assert_same_picture(&image, &back);
    FILE *file = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    char *cicp = memmem(bytes, n, "cICP", 4);
    assert_true(cicp && cicp < (char *)memmem(bytes, n, "IDAT", 4));
    for (int i = 0; i < 2; i++) {
        memcpy(image.meta.cicp, i ? srgb : pq, 4);
        assert_ok(slb_writer_check("a.jpg", &image.info, &image.meta, NULL, note, &err), &err);
        assert_string_equal(
            note, i ? "" : "JPEG holds no cICP: the coding of colours 9/16/0/1 was left out");
    }
    unlink(path);
    slb_image_free(&back);
    slb_image_free(&image);
}

/* The brightness of the display that a picture was made on, and its own, go along with cICP. */
static void test_brightness(void **state)
{
    (void)state;
    static const uint8_t mastering[24] = {1, 2, 3, 4, 5, 6, 7, 8}, light[8] = {9, 8, 7, 6, 5};
    const char *path = in_folder("light.png");
    SlbImage image, back;
    SlbError err;
    char note[SLB_NOTE_BYTES];
    write_late_exif(path);
    insert_chunk(path, "cLLI", light, 8);
    insert_chunk(path, "mDCV", mastering, 24);
    insert_chunk(path, "mDCV", mastering, 23);
    assert_ok(slb_image_load(path, NULL, &image, &err), &err);
    assert_string_equal(image.meta.note, "");
    unlink(path);
    assert_ok(slb_image_save_noting(path, &image, NULL, note, &err), &err);
    assert_string_equal(note, "");
    assert_ok(slb_image_load(path, NULL, &back, &err), &err);
    assert_true(back.meta.has_mastering && back.meta.has_light);
    assert_memory_equal(back.meta.mastering, mastering, 24);
    assert_memory_equal(back.meta.light, light, 8);
    assert_same_picture(&image, &back);
    assert_ok(slb_writer_check("a.jpg", &image.info, &image.meta, NULL, note, &err), &err);
    assert_string_equal(
        note, "JPEG holds no brightness of a display: that of mDCV and cLLI was left out");
    unlink(path);
    slb_image_free(&back);
    slb_image_free(&image);
}

/* A text with a profile is left out, which is a loss where no chunk has that profile. */
static void test_profile_in_a_text(void **state)
{
    (void)state;
    static const char exif[] = "Raw profile type exif\0\nexif\n 2\n4949\n",
                      iptc[] = "Raw profile type iptc\0\niptc\n 1\n38\n";
    const char *path = in_folder("raw.png");
    SlbImage image;
    SlbError err;
    for (int lost = 0; lost < 2; lost++) {
        write_late_exif(path);
        insert_chunk(path, "tEXt", exif, sizeof exif - 1);
        if (lost) insert_chunk(path, "tEXt", iptc, sizeof iptc - 1);
        assert_ok(slb_image_load(path, NULL, &image, &err), &err);
        assert_string_equal(
            image.meta.note,
            lost ? "a profile that stands in a text is left out: Raw profile type iptc" : "");
        slb_image_free(&image);
    }
    unlink(path);
}

static void test_credentials_are_told(void **state)
{
    (void)state;
    const char *path = in_folder("vouched.png");
    SlbImage image;
    SlbError err;
    write_late_exif(path);
    insert_chunk(path, "caBX", "jumb", 4);
    assert_ok(slb_image_load(path, NULL, &image, &err), &err);
    assert_string_equal(image.meta.note, "its content credentials are left out");
    unlink(path);
    slb_image_free(&image);
}

/* Whatever else is faulty. */
static void test_faulty_profile_is_told(void **state)
{
    (void)state;
    const char *path = in_folder("faulty.png");
    SlbImage image = noise(6, 3, 3, 8, 3), back;
    SlbError err;
    for (int others = 0; others < 2; others++) {
        const SlbWriteOptions how = {.overwrite = true};
        assert_ok(slb_image_save(path, &image, &how, &err), &err);
        if (others) insert_chunk(path, "eXIf", "no EXIF", 7);
        insert_chunk(path, "iCCP", "a\0", 3);
        assert_ok(slb_image_load(path, NULL, &back, &err), &err);
        assert_string_equal(back.meta.note, "its ICC profile is faulty (too short) and left out");
        slb_image_free(&back);
    }
    unlink(path);
    slb_image_free(&image);
}

static void test_animation_is_told(void **state)
{
    (void)state;
    const char *path = in_folder("moves.png");
    SlbImage image;
    SlbError err;
    for (char pictures = 1; pictures <= 2; pictures++) {
        const char control[8] = {0, 0, 0, pictures};
        write_late_exif(path);
        insert_chunk(path, "acTL", control, sizeof control);
        assert_ok(slb_image_load(path, NULL, &image, &err), &err);
        assert_string_equal(image.meta.note,
                            pictures > 1 ? "an animation of 2 pictures: only one of them is taken"
                                         : "");
        slb_image_free(&image);
    }
    unlink(path);
}

/* Two of the largest texts, one ahead of the pixels and one behind them, are kept; of many, some.
 */
static void test_large_texts(void **state)
{
    (void)state;
    enum { BYTES = 15 << 20, KEY = 22 };
    static char text[BYTES], xmp[KEY + BYTES] = "XML:com.adobe.xmp\0\0\0\0";
    const char *path = in_folder("large.png");
    SlbImage image = noise(6, 3, 1, 8, 3), back;
    SlbWriteOptions how = {.overwrite = true};
    SlbError err;
    memset(text, 'x', BYTES);
    memcpy(text, "Title", 6);
    memset(xmp + KEY, 'y', BYTES);
    for (int many = 0; many < 2; many++) {
        assert_ok(slb_image_save(path, &image, &how, &err), &err);
        insert_chunk(path, "tEXt", text, BYTES);
        for (int i = 0; i < (many ? 5 : 1); i++) put_behind(path, xmp, sizeof xmp);
        assert_ok(slb_image_load(path, NULL, &back, &err), &err);
        assert_true(back.meta.texts.bytes > BYTES);
        assert_int_equal(back.meta.xmp.bytes, BYTES);
        assert_string_equal(back.meta.note,
                            many ? "more than 16 MiB of metadata: the rest is left out" : "");
        slb_image_free(&back);
    }
    unlink(path);
    slb_image_free(&image);
}

/* libpng quotes names out of the file: they reach nobody's terminal as they are. */
static void test_words_of_the_file(void **state)
{
    (void)state;
    static const char profile[] = "\x1b[31mp\0\0not zlib";
    const char *path = in_folder("words.png");
    SlbImage image;
    SlbError err;
    write_late_exif(path);
    insert_chunk(path, "iCCP", profile, sizeof profile - 1);
    assert_ok(slb_image_load(path, NULL, &image, &err), &err);
    assert_non_null(strstr(image.meta.note, "its ICC profile is faulty"));
    for (const char *c = image.meta.note; *c; c++) assert_true(*c >= 0x20 && *c < 0x7f);
    *image.meta.note = 0;
    slb_meta_note(&image.meta, "%s",
                  "a\x1b\xc2\x9b"
                  "b");
    slb_meta_note(&image.meta, "%s", "\a");
    assert_string_equal(image.meta.note, "a??b; ?");
    unlink(path);
    slb_image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_behind_the_pixels),
        cmocka_unit_test(test_behind_the_pixels_of_a_pipe),
        cmocka_unit_test(test_no_room_for_a_pipe),
        cmocka_unit_test(test_no_memory_for_a_pipe),
        cmocka_unit_test(test_damage_behind_the_pixels),
        cmocka_unit_test(test_texts_are_kept),
        cmocka_unit_test(test_cicp),
        cmocka_unit_test(test_brightness),
        cmocka_unit_test(test_credentials_are_told),
        cmocka_unit_test(test_profile_in_a_text),
        cmocka_unit_test(test_faulty_profile_is_told),
        cmocka_unit_test(test_animation_is_told),
        cmocka_unit_test(test_large_texts),
        cmocka_unit_test(test_words_of_the_file),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
