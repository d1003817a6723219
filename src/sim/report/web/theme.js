// Light or dark, and what the charts have in common. The colours are those of page.css.

function cssColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
}

const theme = {
  read() {
    for (const name of ['page', 'card', 'ink', 'soft', 'faint', 'line', 'grid', 'accent']) this[name] = cssColor(name);
    this.categories = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => cssColor('c' + i));
    this.ramp = [0, 1, 2, 3, 4, 5].map((i) => cssColor('r' + i));
  },
  category(i) {
    return this.categories[i % this.categories.length];
  },
  // Of a share from 0 to 1.
  rampColor(share) {
    const at = Math.min(1, Math.max(0, share)) * (this.ramp.length - 1);
    const low = Math.min(this.ramp.length - 2, Math.floor(at));
    const mix = at - low;
    const part = (hex, i) => parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16);
    const channel = (i) => Math.round(part(this.ramp[low], i) * (1 - mix) + part(this.ramp[low + 1], i) * mix);
    return `rgb(${channel(0)},${channel(1)},${channel(2)})`;
  },
};

function startTheme(onChange) {
  const root = document.documentElement;
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const button = document.getElementById('theme');
  let chosen = null;
  const apply = () => {
    const name = chosen || (dark.matches ? 'dark' : 'light');
    root.dataset.theme = name;
    button.textContent = name === 'dark' ? 'Light' : 'Dark';
    theme.read();
  };
  apply();
  button.addEventListener('click', () => {
    chosen = root.dataset.theme === 'dark' ? 'light' : 'dark';
    apply();
    onChange();
  });
  dark.addEventListener('change', () => {
    apply();
    onChange();
  });
}

// What every chart has; `extra` is laid over it.
function baseOption(extra) {
  return Object.assign({
    animation: false,
    textStyle: {color: theme.ink, fontFamily: getComputedStyle(document.body).fontFamily},
    grid: {left: 68, right: 24, top: 46, bottom: 44, outerBoundsMode: 'none'},
    legend: {type: 'scroll', top: 4, left: 'center', itemWidth: 18, itemHeight: 10, textStyle: {color: theme.soft, fontSize: 12},
      inactiveColor: theme.line, pageTextStyle: {color: theme.soft}, pageIconColor: theme.soft},
    tooltip: tooltipOption(),
  }, extra);
}

function tooltipOption(extra) {
  return Object.assign({
    confine: true, backgroundColor: theme.card, borderColor: theme.line, borderWidth: 1, padding: [8, 11],
    textStyle: {color: theme.ink, fontSize: 12.5}, extraCssText: 'box-shadow:0 4px 18px rgba(0,0,0,.18);border-radius:8px;',
    axisPointer: {lineStyle: {color: theme.faint, type: 'solid', width: 1}, crossStyle: {color: theme.faint}},
  }, extra);
}

function axis(extra) {
  const option = Object.assign({
    nameLocation: 'middle', nameGap: 28, nameTextStyle: {color: theme.soft, fontSize: 12},
    axisLine: {show: true, lineStyle: {color: theme.line}}, axisTick: {show: false},
    axisLabel: {color: theme.soft, fontSize: 11.5, hideOverlap: true}, splitLine: {lineStyle: {color: theme.grid}},
    minorSplitLine: {show: false},
  }, extra);
  option.axisLabel = Object.assign({color: theme.soft, fontSize: 11.5, hideOverlap: true}, (extra || {}).axisLabel);
  return option;
}

const yAxis = (extra) => axis(Object.assign({nameGap: 52}, extra));

// A tooltip of lines: a title and one row a value.
function tipRows(title, rows) {
  const cell = (row) =>
    `<tr><td style="border:0;padding:.05rem .8rem .05rem 0">${row.color ? `<span class="chip" style="background:${row.color}"></span>` : ''}` +
    `${escapeText(row.name)}</td><td class="number" style="border:0;padding:.05rem 0;font-weight:600">${escapeText(row.value)}</td></tr>`;
  return `<div style="margin-bottom:.2rem;font-weight:600">${escapeText(title)}</div><table style="width:auto"><tbody>${rows.map(cell).join('')}</tbody></table>`;
}
