#include "net/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    MAX_TOKENS = 8,           /* of a line, with one to spare that shows a line too long */
    TOKEN_BYTES = 32,         /* of a word, with its zero */
    MAX_NAMES = 64,           /* named points */
    MAX_DEPTH = 8,            /* of nested repeats */
    MAX_STATEMENTS = 1 << 14, /* carried out: bounds the time that nested repeats can take */
    MAX_READ = 1 << 22,       /* characters passed over: likewise, of comments and blank lines */
};

typedef struct Name {
    char text[TOKEN_BYTES];
    int node;
} Name;

typedef struct Repeat {
    const char *body; /* behind the line of the repeat */
    int line;         /* number of that line */
    int left;         /* further passes */
} Repeat;

/* The text is carried out line by line; a repeat goes back to its body. */
typedef struct Parser {
    const char *file;
    const char *next; /* not yet read; the text ends with a zero byte */
    int line;
    int count; /* words of the current line */
    char word[MAX_TOKENS][TOKEN_BYTES];
    Name names[MAX_NAMES];
    int name_count;
    Repeat repeats[MAX_DEPTH];
    int depth;
    int statements;
    long read;                  /* characters, again with every pass */
    int current;                /* the node that the next line takes */
    int made_by[SLB_MAX_NODES]; /* the line that made a node */
    size_t weights;             /* so far; below 2^24 are added at a time */
    SlbGraph *graph;
    SlbError *err;
} Parser;

static SlbStatus fail_line(Parser *p, const char *what, const char *word)
{
    return slb_fail(p->err, SLB_E_MODEL, "%s: line %d: %s%s%s%s", p->file, p->line, what,
                    *word ? " '" : "", word, *word ? "'" : "");
}

/* A whole number in low..high written in decimal digits and nothing else; -1 when it is not. */
static int number(const char *word, int low, int high)
{
    int value = 0;
    for (const char *c = word; *c; c++) {
        if (*c < '0' || *c > '9') return -1;
        value = value * 10 + (*c - '0');
        if (value > high) return -1;
    }
    return *word && value >= low ? value : -1;
}

static SlbStatus append(Parser *p, SlbNode node)
{
    SlbGraph *g = p->graph;
    if (g->node_count == SLB_MAX_NODES)
        return fail_line(p, "more layers than the limit allows", "");
    if (node.source[0] >= 0 && node.scale == 0) node.scale = g->nodes[node.source[0]].scale;
    for (int s = 0; s < 2; s++) {
        if (node.source[s] < 0) continue;
        SlbNode *from = &g->nodes[node.source[s]];
        from->consumers++;
        int radius = from->radius + (node.op == SLB_OP_CONV ? node.kernel / 2 : 0);
        if (radius > node.radius) node.radius = radius;
    }
    p->current = g->node_count;
    p->made_by[g->node_count] = p->line;
    g->nodes[g->node_count++] = node;
    return SLB_OK;
}

static SlbStatus parse_input(Parser *p)
{
    if (p->graph->node_count) return fail_line(p, "a second input", "");
    SlbNode node = {.op = SLB_OP_INPUT, .source = {-1, -1}, .channels = 1, .conv = -1, .scale = 1};
    bool rgb = strcmp(p->word[1], "rgb") == 0;
    if (!rgb && strcmp(p->word[1], "y") != 0)
        return fail_line(p, "unknown kind of input", p->word[1]);
    p->graph->enlarged = p->count == 3;
    if (p->graph->enlarged && strcmp(p->word[2], "bicubic") != 0)
        return fail_line(p, "unknown enlargement", p->word[2]);
    if (p->graph->enlarged && rgb)
        return fail_line(p, "only y can be enlarged first, not", p->word[1]);
    if (rgb) node.channels = 3;
    node.positive = !p->graph->enlarged; /* bicubic overshoots */
    return append(p, node);
}

static SlbStatus parse_conv(Parser *p)
{
    SlbGraph *g = p->graph;
    SlbNode node = {.op = SLB_OP_CONV, .source = {p->current, -1}, .conv = g->conv_count};
    node.channels = number(p->word[1], 1, SLB_MAX_CHANNELS);
    if (node.channels < 0) return fail_line(p, "channels must be 1 to 1024, not", p->word[1]);
    if (strcmp(p->word[2], "3x3") == 0)
        node.kernel = 3;
    else if (strcmp(p->word[2], "1x1") == 0)
        node.kernel = 1;
    else
        return fail_line(p, "the kernel must be 1x1 or 3x3, not", p->word[2]);
    node.low = strcmp(p->word[3], "low") == 0;
    if (!node.low && strcmp(p->word[3], "full") != 0)
        return fail_line(p, "weights must be full or low, not", p->word[3]);
    int i = 4;
    node.norm = i < p->count && strcmp(p->word[i], "norm") == 0;
    i += node.norm;
    node.sbn = node.norm && i < p->count && strcmp(p->word[i], "sbn") == 0;
    i += node.sbn;
    node.relu = i < p->count && strcmp(p->word[i], "relu") == 0;
    i += node.relu;
    if (i < p->count) return fail_line(p, "unknown or misplaced word", p->word[i]);
    if (node.norm && !node.low) return fail_line(p, "norm goes with low weights only", "");
    p->weights += (size_t)node.channels * (size_t)g->nodes[node.source[0]].channels *
                  (size_t)(node.kernel * node.kernel);
    if (p->weights > SLB_MAX_WEIGHTS)
        return fail_line(p, "more weights than the limit of 268435456", "");
    node.positive = node.relu;
    g->conv_count++;
    return append(p, node);
}

static int find_name(const Parser *p, const char *name)
{
    if (strcmp(name, "input") == 0) return 0;
    for (int i = 0; i < p->name_count; i++)
        if (strcmp(p->names[i].text, name) == 0) return p->names[i].node;
    return -1;
}

static SlbStatus parse_add(Parser *p)
{
    SlbGraph *g = p->graph;
    SlbNode node = {.op = SLB_OP_ADD, .source = {p->current, -1}, .conv = -1};
    node.source[1] = find_name(p, p->word[1]);
    if (node.source[1] < 0) return fail_line(p, "no tensor has the name", p->word[1]);
    node.channels = g->nodes[node.source[0]].channels;
    if (g->nodes[node.source[1]].channels != node.channels)
        return fail_line(p, "the current tensor has another number of channels than", p->word[1]);
    if (g->nodes[node.source[1]].scale != g->nodes[node.source[0]].scale)
        return fail_line(p, "the current tensor has another resolution than", p->word[1]);
    node.positive = g->nodes[node.source[0]].positive && g->nodes[node.source[1]].positive;
    return append(p, node);
}

static SlbStatus parse_from(Parser *p)
{
    int node = find_name(p, p->word[1]);
    if (node < 0) return fail_line(p, "no tensor has the name", p->word[1]);
    p->current = node;
    return SLB_OK;
}

static SlbStatus parse_lrelu(Parser *p)
{
    SlbGraph *g = p->graph;
    const SlbNode *from = &g->nodes[p->current];
    return append(p, (SlbNode){.op = SLB_OP_LRELU,
                               .source = {p->current, -1},
                               .channels = from->channels,
                               .positive = from->positive,
                               .conv = -1});
}

static SlbStatus parse_shuffle(Parser *p)
{
    SlbGraph *g = p->graph;
    const SlbNode *from = &g->nodes[p->current];
    int r = number(p->word[1], 2, SLB_MAX_SCALE);
    if (r < 0) return fail_line(p, "shuffle wants a factor from 2 to 4, not", p->word[1]);
    if (g->enlarged) return fail_line(p, "shuffle does not go with an input enlarged before", "");
    if (from->channels % (r * r) != 0)
        return fail_line(p, "the channels are no multiple of the square of", p->word[1]);
    if (from->scale * r > SLB_MAX_SCALE)
        return fail_line(p, "more than 4 times enlarged by shuffle", p->word[1]);
    return append(p, (SlbNode){.op = SLB_OP_SHUFFLE,
                               .source = {p->current, -1},
                               .channels = from->channels / (r * r),
                               .scale = from->scale * r,
                               .factor = r,
                               .positive = from->positive,
                               .conv = -1});
}

static SlbStatus parse_name(Parser *p)
{
    const char *word = p->word[1];
    if (strcmp(word, "input") == 0) return fail_line(p, "the name is taken:", word);
    int i = 0;
    while (i < p->name_count && strcmp(p->names[i].text, word) != 0) i++;
    if (i == MAX_NAMES) return fail_line(p, "more names than the limit allows", "");
    if (i == p->name_count) p->name_count++;
    memcpy(p->names[i].text, word, TOKEN_BYTES);
    p->names[i].node = p->current; /* a name given again moves */
    return SLB_OK;
}

static SlbStatus parse_repeat(Parser *p)
{
    int times = number(p->word[1], 1, SLB_MAX_NODES);
    if (times < 0) return fail_line(p, "repeat wants a number from 1 to 1024, not", p->word[1]);
    if (p->depth == MAX_DEPTH) return fail_line(p, "repeats are nested too deeply", "");
    p->repeats[p->depth++] = (Repeat){p->next, p->line, times - 1};
    return SLB_OK;
}

static SlbStatus parse_end(Parser *p)
{
    if (!p->depth) return fail_line(p, "end without repeat", "");
    Repeat *r = &p->repeats[p->depth - 1];
    if (r->left == 0) {
        p->depth--;
        return SLB_OK;
    }
    r->left--;
    p->next = r->body;
    p->line = r->line;
    return SLB_OK;
}

/* What a line can begin with. To add a layer type: its row here, its function above, a value of
 * SlbOp. */
static const struct Statement {
    const char *word;
    int min_words, max_words; /* with the first */
    const char *usage;
    SlbStatus (*parse)(Parser *p);
} statements[] = {
    {"input", 2, 3, "input y bicubic, input y or input rgb", parse_input},
    {"conv", 4, 7, "conv CHANNELS KxK full|low [norm [sbn]] [relu]", parse_conv},
    {"add", 2, 2, "add NAME", parse_add},
    {"lrelu", 1, 1, "lrelu", parse_lrelu},
    {"shuffle", 2, 2, "shuffle FACTOR", parse_shuffle},
    {"name", 2, 2, "name NAME", parse_name},
    {"from", 2, 2, "from NAME", parse_from},
    {"repeat", 2, 2, "repeat TIMES", parse_repeat},
    {"end", 1, 1, "end", parse_end},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Splits the next line into p->word; a comment begins with '#'. */
static SlbStatus read_line(Parser *p)
{
    const char *c = p->next;
    p->line++;
    p->count = 0;
    while (*c && *c != '\n' && *c != '#') {
        if (is_blank(*c)) {
            c++;
            continue;
        }
        size_t n = strcspn(c, " \t\r\n#");
        if (p->count == MAX_TOKENS) return fail_line(p, "too many words", "");
        if (n >= TOKEN_BYTES) return fail_line(p, "a word of more than 31 characters", "");
        memcpy(p->word[p->count], c, n);
        memset(p->word[p->count++] + n, 0, TOKEN_BYTES - n);
        c += n;
    }
    c += strcspn(c, "\n");
    c += *c == '\n';
    p->read += c - p->next;
    p->next = c;
    if (p->read > MAX_READ) return fail_line(p, "the repeats run too long", "");
    return SLB_OK;
}

static SlbStatus parse_statement(Parser *p)
{
    if (++p->statements > MAX_STATEMENTS) return fail_line(p, "the repeats run too long", "");
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        const struct Statement *s = &statements[i];
        if (strcmp(s->word, p->word[0]) != 0) continue;
        if (p->count < s->min_words || p->count > s->max_words)
            return fail_line(p, "wrong number of words, expected", s->usage);
        if (!p->graph->node_count && s->parse != parse_input)
            return fail_line(p, "the first line must be an input, such as", "input y bicubic");
        return s->parse(p);
    }
    return fail_line(p, "unknown word", p->word[0]);
}

/* Every tensor but the last must lead to the last: one that nothing is made of has no gradient, and
 * costs time for nothing. */
static SlbStatus check_used(Parser *p)
{
    const SlbGraph *g = p->graph;
    for (int i = 0; i < g->node_count - 1; i++)
        if (!g->nodes[i].consumers) {
            p->line = p->made_by[i];
            return fail_line(p, "nothing is made of this line's tensor; use it or leave it out",
                             "");
        }
    return SLB_OK;
}

static SlbStatus parse_text(Parser *p)
{
    while (*p->next) {
        SlbStatus s = read_line(p);
        if (s == SLB_OK && p->count) s = parse_statement(p);
        if (s != SLB_OK) return s;
    }
    if (p->depth) {
        p->line = p->repeats[p->depth - 1].line;
        return fail_line(p, "a repeat has no end", "");
    }
    SlbGraph *g = p->graph;
    if (!g->conv_count) return fail_line(p, "the network has no convolution", "");
    const SlbNode *last = &g->nodes[g->node_count - 1];
    if (p->current != g->node_count - 1)
        return fail_line(p, "the last line must make the output: nothing follows 'from'", "");
    if (last->channels != g->nodes[0].channels)
        return fail_line(p,
                         g->nodes[0].channels == 1 ? "the last tensor must have 1 channel"
                                                   : "the last tensor must have 3 channels",
                         "");
    g->scale = last->scale;
    if (!g->enlarged && g->scale == 1)
        return fail_line(p, "the network enlarges nothing: it has no shuffle", "");
    return check_used(p);
}

SlbStatus slb_graph_parse(const char *text, size_t bytes, const char *name, SlbGraph **graph,
                          SlbError *err)
{
    if (bytes > SLB_MAX_NET_BYTES)
        return slb_fail(err, SLB_E_MODEL, "%s: a network of more than %d bytes", name,
                        SLB_MAX_NET_BYTES);
    if (memchr(text, 0, bytes))
        return slb_fail(err, SLB_E_MODEL, "%s: not a text: it has a zero byte", name);
    size_t mark = slb_mark_bytes(text, bytes);
    text += mark;
    bytes -= mark;
    SlbGraph *g = slb_calloc(1, sizeof *g);
    Parser *p = slb_calloc(1, sizeof *p);
    if (g) {
        g->nodes = slb_calloc(SLB_MAX_NODES, sizeof *g->nodes);
        g->text = slb_alloc(bytes + 1, 1);
    }
    SlbStatus s;
    if (!p || !g || !g->nodes || !g->text) {
        s = slb_fail_memory(err, name);
    } else {
        memcpy(g->text, text, bytes);
        g->text[bytes] = 0;
        *p = (Parser){.file = name, .next = g->text, .graph = g, .err = err};
        s = parse_text(p);
    }
    slb_free(p);
    if (s == SLB_OK)
        *graph = g;
    else
        slb_graph_free(g);
    return s;
}

SlbStatus slb_graph_open(const char *name_or_path, SlbGraph **graph, SlbError *err)
{
    size_t length = strlen(name_or_path);
    for (const SlbEmbed *e = slb_embed; e->name; e++)
        if (strncmp(e->name, name_or_path, length) == 0 && strcmp(e->name + length, ".net") == 0)
            return slb_graph_parse((const char *)e->data, (size_t)(e->end - e->data), e->name,
                                   graph, err);
    unsigned char *text;
    size_t bytes;
    if (slb_is_bare_name(name_or_path))
        return slb_fail(err, SLB_E_MODEL,
                        "%s: is neither a file nor a built-in network; 'slbsr info' lists those",
                        name_or_path);
    SlbStatus s = slb_read_file(name_or_path, SLB_MAX_NET_BYTES, SLB_E_MODEL, &text, &bytes, err);
    if (s != SLB_OK) return s;
    s = slb_graph_parse((const char *)text, bytes, name_or_path, graph, err);
    slb_free(text);
    return s;
}

void slb_graph_free(SlbGraph *graph)
{
    if (!graph) return;
    slb_free(graph->nodes);
    slb_free(graph->text);
    slb_free(graph);
}
