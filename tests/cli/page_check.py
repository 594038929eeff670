"""Checks a page that slbsr wrote: page_check.py PAGE [JSON of the same eval run].

Well-formed, loads nothing from outside, says what its pictures show; and the numbers of its tables are those of the
JSON. Prints every fault; the exit code is 1 when there are any."""
import base64
import html.parser
import json
import re
import struct
import sys

VOID = {'meta', 'img', 'br', 'input', 'path', 'line', 'circle', 'rect', 'polyline'}
LOADING = {'src', 'href', 'srcset', 'data', 'poster', 'action', 'xlink:href', 'background', 'formaction'}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.faults, self.ids, self.links = [], [], set(), []
        self.tables, self.row, self.cell, self.section = [], None, None, None
        self.images, self.text = 0, []

    def fault(self, what):
        self.faults.append(f'line {self.getpos()[0]}: {what}')

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        values = dict(attributes)
        if len(set(names)) != len(names):
            self.fault(f'<{tag}> has an attribute twice')
        if tag not in VOID:
            self.open.append(tag)
        if 'id' in values:
            if values['id'] in self.ids:
                self.fault(f'id {values["id"]} is there twice')
            self.ids.add(values['id'])
        for name in LOADING & set(names):
            self.reference(tag, name, values[name])
        if tag in ('link', 'iframe', 'object', 'embed', 'base', 'video', 'audio'):
            self.fault(f'<{tag}> in a page that stands alone')
        if any(name.startswith('on') for name in names):
            self.fault(f'<{tag}> has a script in an attribute')
        if tag == 'img':
            self.image(values)
        if tag == 'table':
            self.tables.append([])
        if tag == 'tr':
            self.row = []
        if tag in ('td', 'th'):
            self.cell = [tag, values.get('data-value'), '']

    handle_startendtag = handle_starttag

    def reference(self, tag, name, value):
        if value.startswith('#'):
            self.links.append(value[1:])
        elif not value.startswith('data:image/png;base64,'):
            self.fault(f'<{tag} {name}> refers to {value[:60]}')

    def image(self, values):
        self.images += 1
        if not values.get('alt', '').strip():
            self.fault('a picture without alt')
        data = base64.b64decode(values.get('src', '').partition(',')[2], validate=True)
        if data[:8] != b'\x89PNG\r\n\x1a\n' or data[-8:-4] != b'IEND':
            self.fault('a picture that is no PNG')
        elif struct.unpack('>II', data[16:24]) != (int(values['width']), int(values['height'])):
            self.fault('a picture of another size than its tag says')

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.fault(f'</{tag}> closes nothing')
        if tag in ('td', 'th') and self.cell:
            self.row.append(self.cell)
            self.cell = None
        if tag == 'tr':
            self.tables[-1].append(self.row)

    def handle_data(self, data):
        if self.cell:
            self.cell[2] += data
        if self.open and self.open[-1] not in ('style', 'script'):
            self.text.append(data)


def check(path):
    text = open(path, encoding='utf-8').read()
    page = Page()
    page.feed(text)
    page.close()
    if page.open:
        page.fault(f'never closed: {page.open}')
    for link in page.links:
        if link not in page.ids:
            page.fault(f'#{link} leads nowhere')
    bare = re.sub(r'data:image/png;base64,[A-Za-z0-9+/=]*', '', text)
    for word in ('http:', 'https:', '@import', r'url\((?!#)'):
        if re.search(word, bare):
            page.fault(f'{word} in the page')
    for word in ('<!doctype html>', '<html lang="en">', "default-src 'none'", 'prefers-color-scheme: dark',
                 '<meta charset="utf-8">', 'name="viewport"'):
        if word not in text:
            page.fault(f'{word} is missing')
    return page


def number(value):
    return None if value is None else f'{value:.6f}'


def check_eval(page, results):
    """Behind the table of means comes one table a set and scale; models are in columns."""
    groups = {}
    for result in results:
        groups.setdefault((result['set'], result['scale']), []).append(result)
    if len(page.tables) != 1 + len(groups):
        page.fault(f'{len(page.tables)} tables for {len(groups)} groups of results')
        return

    def cells(models, pick):
        values = [number(pick(models[0])['bicubic_psnr']), number(pick(models[0])['bicubic_ssim'])]
        for m in models:
            if m['model'] is not None:
                values += [number(pick(m)['psnr']), number(pick(m)['ssim'])]
        return values

    def compare(row, name, values):
        if [c[1] for c in row if c[0] == 'td'] != values or row[0][2] != name:
            page.fault(f'row {name}: {row} is not {values}')

    summary = page.tables[0][2:]
    for (key, models), table, mean in zip(groups.items(), page.tables[1:], summary):
        means = cells(models, lambda m: m)
        compare(mean, key[0], means)
        rows = table[2:]
        images = models[0]['images']
        if len(rows) != len(images) + 1:
            page.fault(f'{key}: {len(rows)} rows for {len(images)} pictures and the mean')
            continue
        for i, row in enumerate(rows[:-1]):
            compare(row, images[i]['name'], cells(models, lambda m: m['images'][i]))
        compare(rows[-1], 'mean', means)
        shown = [c[2] for c in table[0] if c[0] == 'th'][2:]
        if shown != [m['model'] for m in models if m['model'] is not None]:
            page.fault(f'{key}: columns {shown}')


page = check(sys.argv[1])
if len(sys.argv) > 2:
    check_eval(page, json.load(open(sys.argv[2], encoding='utf-8'))['results'])
print('\n'.join(page.faults) or f'{page.images} pictures, {len(page.tables)} tables')
sys.exit(bool(page.faults))
