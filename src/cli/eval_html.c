#include "cli/eval_html.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/eval_report.h"
#include "cli/html.h"

enum { NAME_BYTES = 128 };

/* Text that is put together before its place in the page is reached. */
typedef struct Part {
    FILE *file;
    char *text; /* malloc; valid once the file is closed */
    size_t bytes;
} Part;

struct EvalHtml {
    SlbOutput out;
    const char *protocol, *command_line;
    bool published; /* small pictures */
    Part summary, body; /* of the page: rows of the first table; sections */
    Part rows, views;   /* of the section at hand: rows of its table; crops */
    char set[NAME_BYTES];
    int scale, sections;
    const EvalModels *models;
    char column[EVAL_MODELS][NAME_BYTES]; /* models as the first table calls them */
    int columns;
};

static SlbStatus no_memory(SlbError *err)
{
    return slb_fail_memory(err, "the HTML report");
}

static SlbStatus part_open(Part *part, SlbError *err)
{
    part->file = open_memstream(&part->text, &part->bytes);
    return part->file ? SLB_OK : no_memory(err);
}

/* Puts the part into `to` (NULL: nowhere) and forgets it. */
static SlbStatus part_close(Part *part, FILE *to, SlbError *err)
{
    bool ok = true;
    if (part->file) {
        ok = !ferror(part->file);
        ok = fclose(part->file) == 0 && ok;
        if (ok && to) fwrite(part->text, 1, part->bytes, to);
        free(part->text);
    }
    *part = (Part){0};
    return ok ? SLB_OK : no_memory(err);
}

SlbStatus eval_html_open(const char *path, bool overwrite, const char *protocol, bool published,
                         const char *command_line, EvalHtml **html, SlbError *err)
{
    EvalHtml *h = slb_calloc(1, sizeof *h);
    *html = NULL;
    if (!h) return no_memory(err);
    h->protocol = protocol;
    h->published = published;
    h->command_line = command_line;
    SlbStatus s = html_open(&h->out, path, overwrite, "eval", err);
    if (s == SLB_OK) s = part_open(&h->summary, err);
    if (s == SLB_OK) s = part_open(&h->body, err);
    if (s == SLB_OK)
        *html = h;
    else
        eval_html_abort(h);
    return s;
}

/* --bits may take another model at every scale; a column is called after all of them alike. */
static void name_columns(EvalHtml *h, const EvalModels *models)
{
    for (int i = 0; i < models->count; i++) {
        const char *name = models->item[i].name;
        char *column = h->column[i];
        if (h->columns == 0)
            snprintf(column, NAME_BYTES, "%s", name);
        else if (strncmp(column, name, NAME_BYTES - 1) != 0)
            snprintf(column, NAME_BYTES, "model %d, %d bit%s", i + 1,
                     models->item[i].model->weight_bits,
                     models->item[i].model->weight_bits == 1 ? "" : "s");
    }
    h->columns = models->count;
}

SlbStatus eval_html_begin(EvalHtml *html, const char *set, int scale, const EvalModels *models,
                          SlbError *err)
{
    snprintf(html->set, sizeof html->set, "%s", set);
    html->scale = scale;
    html->models = models;
    name_columns(html, models);
    SlbStatus s = part_open(&html->rows, err);
    return s == SLB_OK ? part_open(&html->views, err) : s;
}

/* -- tables -- */

static void put_score(FILE *out, SlbScore score, bool best)
{
    html_cell(out, score.psnr, 2, best ? "score best" : "score");
    html_cell(out, score.ssim, 4, NULL);
}

/* The cells of one row: bicubic, then each model with its PSNR marked where none is greater. */
static void put_scores(FILE *out, const EvalRow *row, int models)
{
    double best = -INFINITY;
    for (int i = 0; i < models; i++) best = fmax(best, row->model[i].psnr);
    put_score(out, row->bicubic, false);
    for (int i = 0; i < models; i++)
        put_score(out, row->model[i], models > 1 && row->model[i].psnr >= best);
}

/* Two lines of column headings behind `first`, which is markup for both. */
static void put_heads(FILE *out, const char *first, int models, const char *const *names)
{
    fprintf(out, "<thead>\n<tr>%s<th colspan=\"2\" scope=\"colgroup\">bicubic</th>", first);
    for (int i = 0; i < models; i++) {
        fputs("<th colspan=\"2\" scope=\"colgroup\">", out);
        html_text(out, names[i]);
        fputs("</th>", out);
    }
    fputs("</tr>\n<tr>", out);
    for (int i = 0; i <= models; i++)
        fputs("<th scope=\"col\">PSNR, dB</th><th scope=\"col\">SSIM</th>", out);
    fputs("</tr>\n</thead>\n<tbody>\n", out);
}

static void begin_table(FILE *out, const char *label)
{
    fputs("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"", out);
    html_text(out, label);
    fputs("\">\n<table>\n<caption>", out);
    html_text(out, label);
    fputs("</caption>\n", out);
}

static void end_table(FILE *out)
{
    fputs("</tbody>\n</table>\n</div>\n", out);
}

static void put_row(FILE *out, const EvalRow *row, int models, const char *class)
{
    fprintf(out, "<tr%s><th scope=\"row\">", class);
    html_text(out, row->name);
    fputs("</th>", out);
    put_scores(out, row, models);
    fputs("</tr>\n", out);
}

/* -- crops -- */

/* What stands under a crop: its name, and its figures unless it is the original. */
static void put_caption(FILE *out, const char *name, const SlbScore *score)
{
    fputs("<figcaption><b>", out);
    html_text(out, name);
    fputs("</b><br>", out);
    if (score) {
        html_number(out, score->psnr, 2);
        fputs(" dB / ", out);
        html_number(out, score->ssim, 4);
    } else {
        fputs("PSNR / SSIM", out);
    }
    fputs("</figcaption></figure>\n", out);
}

static SlbStatus put_crop(FILE *out, const SlbImage *image, const char *picture, const char *what,
                          const char *name, const SlbScore *score, SlbError *err)
{
    char alt[3 * NAME_BYTES];
    snprintf(alt, sizeof alt, "%s of %s, %s", what, picture, name);
    fputs("<figure>", out);
    SlbStatus s = html_picture(out, image, "class=\"crop\" loading=\"lazy\"", alt, err);
    if (s == SLB_OK) put_caption(out, name, score);
    return s;
}

static SlbStatus put_crops(const EvalHtml *h, FILE *out, const EvalRow *row, const EvalView *v,
                           SlbError *err)
{
    fputs("<div class=\"crops\">\n", out);
    SlbStatus s = put_crop(out, &v->original, row->name, "Detail", "original", NULL, err);
    if (s == SLB_OK)
        s = put_crop(out, &v->bicubic, row->name, "Detail", "bicubic", &row->bicubic, err);
    for (int i = 0; s == SLB_OK && i < h->models->count; i++)
        s = put_crop(out, &v->model[i], row->name, "Detail", h->models->item[i].name,
                     &row->model[i], err);
    fputs("</div>\n", out);
    return s;
}

static SlbStatus put_errors(const EvalHtml *h, FILE *out, const EvalRow *row, const EvalView *v,
                            SlbError *err)
{
    static const char what[] = "Error map";
    fprintf(out,
            "<details>\n<summary>Error maps</summary>\n<p class=\"note\">How far Y is from the "
            "original: black where it is equal, over red and yellow to white at %d of 255 and "
            "above.</p>\n<div class=\"crops\">\n",
            EVAL_ERROR_FULL);
    SlbStatus s = put_crop(out, &v->bicubic_error, row->name, what, "bicubic", &row->bicubic, err);
    for (int i = 0; s == SLB_OK && i < h->models->count; i++)
        s = put_crop(out, &v->model_error[i], row->name, what, h->models->item[i].name,
                     &row->model[i], err);
    fputs("</div>\n</details>\n", out);
    return s;
}

/* The whole picture with a frame around what the crops show. */
static SlbStatus put_overview(FILE *out, const EvalRow *row, const EvalView *v, SlbError *err)
{
    char alt[2 * NAME_BYTES];
    double w = v->width / 100.0, h = v->height / 100.0;
    snprintf(alt, sizeof alt, "The whole of %s", row->name);
    fputs("<div class=\"overview\"><div class=\"frame\">", out);
    SlbStatus s = html_picture(out, &v->overview, "loading=\"lazy\"", alt, err);
    fprintf(out,
            "<span class=\"box\" style=\"left:%.2f%%;top:%.2f%%;width:%.2f%%;height:%.2f%%\">"
            "</span></div>\n<p class=\"note\">%u &times; %u pixels. The frame of %u &times; %u "
            "from (%u, %u) is where bicubic errs most.</p></div>\n",
            v->at.x / w, v->at.y / h, v->at.width / w, v->at.height / h, v->width, v->height,
            v->at.width, v->at.height, v->at.x, v->at.y);
    return s;
}

SlbStatus eval_html_row(EvalHtml *html, const EvalRow *row, const EvalView *view, SlbError *err)
{
    put_row(html->rows.file, row, html->models->count, "");
    if (!view) return SLB_OK;
    FILE *out = html->views.file;
    fputs("<h3>", out);
    html_text(out, row->name);
    fputs("</h3>\n<div class=\"picture\">\n", out);
    SlbStatus s = put_overview(out, row, view, err);
    if (s == SLB_OK) s = put_crops(html, out, row, view, err);
    if (s == SLB_OK) s = put_errors(html, out, row, view, err);
    fputs("</div>\n", out);
    return s;
}

/* -- sections and the page -- */

static void put_summary_row(EvalHtml *h, const EvalRow *mean)
{
    FILE *out = h->summary.file;
    fprintf(out, "<tr><th scope=\"row\"><a href=\"#section-%d\">", h->sections);
    html_text(out, h->set);
    fprintf(out, "</a></th><th scope=\"row\">&times;%d</th>", h->scale);
    put_scores(out, mean, h->models->count);
    fputs("</tr>\n", out);
}

static void put_notes(FILE *out, const EvalCounts *counts)
{
    char note[2][EVAL_NOTE_BYTES];
    eval_psnr_note(counts, note[0]);
    eval_ssim_note(counts, note[1]);
    for (int i = 0; i < 2; i++)
        if (*note[i]) fprintf(out, "<p class=\"note\">%s</p>\n", note[i]);
}

SlbStatus eval_html_end(EvalHtml *html, const EvalRow *mean, const EvalCounts *counts,
                        SlbError *err)
{
    FILE *out = html->body.file;
    const EvalModels *models = html->models;
    const char *names[EVAL_MODELS];
    char label[NAME_BYTES + 32];
    html->sections++;
    put_summary_row(html, mean);
    for (int i = 0; i < models->count; i++) names[i] = models->item[i].name;
    snprintf(label, sizeof label, "%s, scale %d", html->set, html->scale);
    fprintf(out, "<section id=\"section-%d\">\n<h2>", html->sections);
    html_text(out, label);
    fputs("</h2>\n", out);
    snprintf(label, sizeof label, "%s, scale %d: each picture", html->set, html->scale);
    begin_table(out, label);
    put_heads(out, "<th rowspan=\"2\" scope=\"col\">picture</th>", models->count, names);
    put_row(html->rows.file, mean, models->count, " class=\"mean\"");
    SlbStatus s = part_close(&html->rows, out, err);
    end_table(out);
    put_notes(out, counts);
    if (s == SLB_OK) s = part_close(&html->views, out, err);
    fputs("</section>\n", out);
    return s;
}

static void put_intro(const EvalHtml *h, FILE *out)
{
    bool rgb = strcmp(h->protocol, "rgb") == 0;
    fprintf(out,
            "<p>%s larger again, by bicubic and by each model, and compared in Y (BT.601) without "
            "a border as wide as the factor; PSNR of peak 255, SSIM with an 11 &times; 11 Gaussian "
            "window. Protocol <b>%s</b>: %s.</p>\n",
            h->published ? "The small picture that was published with each original is made"
                         : "Each original is made smaller bicubically and",
            h->protocol,
            rgb ? "RGB pictures of 8 bits (16 where the original has them), small and large"
                : "on Y; colours are those of bicubic");
}

SlbStatus eval_html_finish(EvalHtml *html, SlbError *err)
{
    FILE *out = html->out.file;
    const char *names[EVAL_MODELS];
    for (int i = 0; i < html->columns; i++) names[i] = html->column[i];
    html_begin(out, "eval", "Super-resolution: PSNR and SSIM");
    put_intro(html, out);
    begin_table(out, "Means of the pictures");
    put_heads(out,
              "<th rowspan=\"2\" scope=\"col\">set</th><th rowspan=\"2\" scope=\"col\">scale</th>",
              html->columns, names);
    SlbStatus s = part_close(&html->summary, out, err);
    end_table(out);
    if (s == SLB_OK) s = part_close(&html->body, out, err);
    html_end(out, "eval.js", html->command_line);
    if (s == SLB_OK) s = slb_output_commit(&html->out, err);
    eval_html_abort(html);
    return s;
}

void eval_html_abort(EvalHtml *html)
{
    if (!html) return;
    Part *parts[] = {&html->summary, &html->body, &html->rows, &html->views};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        (void)!part_close(parts[i], NULL, NULL);
    slb_output_abort(&html->out);
    slb_free(html);
}
