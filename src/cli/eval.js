'use strict';
// Puts a viewer over the crops of each picture: two of them under a slider, enlarged. Without this
// script the crops stand side by side and say the same.

function element(tag, properties, ...children) {
  const e = Object.assign(document.createElement(tag), properties);
  e.append(...children);
  return e;
}

function chooser(label, crops, chosen, change) {
  const select = element('select', {onchange: change});
  for (const crop of crops) select.append(element('option', {textContent: crop.name}));
  select.selectedIndex = chosen;
  return [select, element('label', {}, label, select)];
}

function buildViewer(crops) {
  const image = crops[0].image, width = Number(image.getAttribute('width'));
  const leftImage = element('img', {className: 'left', draggable: false});
  const rightImage = element('img', {draggable: false});
  const leftTag = element('span', {className: 'tag'}), rightTag = element('span', {className: 'tag'});
  leftTag.style.left = rightTag.style.right = '0.3rem';
  const pair = element('div', {className: 'pair'}, rightImage, leftImage, leftTag, rightTag,
                       element('span', {className: 'bar'}));
  const stage = element('div', {className: 'stage', tabIndex: 0, role: 'region', ariaLabel: 'Enlarged crop'}, pair);
  const slider = element('input', {type: 'range', min: 0, max: 100, step: 0.5, value: 50});
  const zoomShown = element('output');
  let zoom = 1;

  function show(image, tag, select) {
    const crop = crops[select.selectedIndex];
    image.src = crop.image.src;
    image.alt = crop.image.alt;
    tag.textContent = crop.name;
  }
  const change = () => { show(leftImage, leftTag, left); show(rightImage, rightTag, right); };
  const [left, leftLabel] = chooser('Left', crops, Math.min(1, crops.length - 1), change);
  const [right, rightLabel] = chooser('Right', crops, crops.length > 2 ? crops.length - 1 : 0, change);
  const cut = () => pair.style.setProperty('--cut', slider.value + '%');
  function enlarge(by) {
    zoom = Math.min(16, Math.max(1, zoom + by));
    pair.style.width = width * zoom + 'px';
    zoomShown.textContent = '\u00d7' + zoom;
  }
  function drag(event) {
    if (event.pointerType === 'touch' || !(event.buttons & 1)) return;
    const box = pair.getBoundingClientRect();
    slider.value = 100 * (event.clientX - box.left) / box.width;
    cut();
  }
  pair.onpointerdown = pair.onpointermove = drag;
  slider.oninput = cut;
  const controls = element('div', {className: 'controls'}, leftLabel, rightLabel,
    element('label', {}, 'Divider', slider),
    element('span', {role: 'group', ariaLabel: 'Zoom'},
      element('button', {type: 'button', textContent: '\u2212', ariaLabel: 'Smaller', onclick: () => enlarge(-1)}),
      zoomShown,
      element('button', {type: 'button', textContent: '+', ariaLabel: 'Larger', onclick: () => enlarge(1)})));
  change();
  cut();
  return {node: element('div', {className: 'viewer'}, controls, stage),
          fit: () => enlarge(Math.floor(Math.min(480, stage.clientWidth) / width) - zoom)};
}

for (const section of document.querySelectorAll('section')) {
  let first = true;
  for (const picture of section.querySelectorAll('.picture')) {
    const crops = [...picture.querySelectorAll(':scope > .crops figure')].map(
      figure => ({image: figure.querySelector('img'), name: figure.querySelector('b').textContent}));
    const details = element('details', {}, element('summary', {textContent: 'Slider and zoom'}));
    picture.querySelector(':scope > .crops').before(details);
    details.ontoggle = () => {
      if (!details.open || details.querySelector('.viewer')) return;
      const viewer = buildViewer(crops);
      details.append(viewer.node);
      viewer.fit();
    };
    details.open = first;
    first = false;
  }
}
