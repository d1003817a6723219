// Sections, cards, tables and the charts' life: made once, drawn again when the theme or a control changes.

function element(tag, attributes, children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === 'text') node.textContent = value;
    else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  for (const child of children || []) if (child) node.append(child);
  return node;
}

function section(id, title) {
  const cards = element('div', {class: 'cards'});
  document.getElementById('main').append(element('section', {id}, [element('h2', {text: title}), cards]));
  document.getElementById('contents').append(element('a', {href: '#' + id, text: title}));
  return cards;
}

function card(parent, {title, help, wide, controls}, content) {
  const head = element('div', {class: 'head'}, [element('h3', {text: title}), controls]);
  const node = element('div', {class: 'card' + (wide ? ' wide' : '')}, [head, help ? element('p', {class: 'help', text: help}) : null, content]);
  parent.append(node);
  return node;
}

const charts = new Map();  // id -> {chart, draw}

// `option()` gives the chart's option under the present theme; null: there is nothing to draw, `empty` says why.
function chartCard(parent, settings, option) {
  const {id, height, empty, onMade} = settings;
  if (option === null) {
    card(parent, settings, element('div', {class: 'empty', text: empty || 'Nothing was recorded.'}));
    return null;
  }
  const holder = element('div', {class: 'chart', id: 'chart-' + id});
  if (height) holder.style.height = height + 'px';
  card(parent, settings, holder);
  const chart = echarts.init(holder, null, {renderer: 'canvas'});
  const entry = {chart, draw: () => chart.setOption(option(), {notMerge: true})};
  charts.set(id, entry);
  entry.draw();
  new ResizeObserver(() => chart.resize()).observe(holder);
  if (onMade) onMade(chart);
  return entry;
}

function redrawAll() {
  for (const entry of charts.values()) entry.draw();
}

// Buttons of which one is pressed: [[value, label], ...].
function choice(values, chosen, onChange) {
  const buttons = values.map(([value, label]) => {
    const button = element('button', {type: 'button', text: label, 'aria-pressed': String(value === chosen)});
    button.addEventListener('click', () => {
      for (const other of buttons) other.setAttribute('aria-pressed', 'false');
      button.setAttribute('aria-pressed', 'true');
      onChange(value);
    });
    return button;
  });
  return element('div', {class: 'controls'}, buttons);
}

// columns: [{name, number, cell(row) -> text or node}]
function table(columns, rows) {
  const headers = columns.map((c) => element('th', {text: c.name, class: c.number ? 'number' : null}));
  const lines = rows.map((row) => element('tr', {}, columns.map((c) => {
    const value = c.cell(row);
    const cell = element('td', {class: c.number ? 'number' : null});
    cell.append(value instanceof Node ? value : document.createTextNode(value === null || value === undefined ? '' : String(value)));
    return cell;
  })));
  return element('div', {class: 'scroll'}, [element('table', {}, [
    element('thead', {}, [element('tr', {}, headers)]), element('tbody', {}, lines)])]);
}

// A holder whose content is made anew for the chosen run.
function perRun(runs, make) {
  const holder = element('div');
  const show = (i) => holder.replaceChildren(make(runs[i], i));
  show(0);
  const controls = runs.length > 1 ? choice(runs.map((run, i) => [i, run.label]), 0, show) : null;
  return {holder, controls};
}
