// Links: utilisation on the drawn topology, with a slider over time; the busiest links and the fabric's layers over time.

const NEAR_PX = 9;

function linkSection(runs) {
  const having = runs.filter((run) => run.links);
  if (having.length === 0) return;
  const cards = section('links', 'Links');
  topologyCard(cards, having);
  const sampled = having.filter((run) => run.links.samples);
  if (sampled.length === 0) return;
  lines(cards, having.map((run) => Object.assign(Object.create(run), {label: run.label, layers: run.links.samples ? {times: run.links.times, width: run.links.width, tiers: run.links.layers} : null})), {
    id: 'layers', part: 'layers', key: 'tiers', title: 'Mean utilisation of the layers over time', axisName: 'utilisation', wide: true,
    help: 'All links of a layer together, each direction for itself: from the sender’s tier to the receiver’s.',
    format: formatShare, empty: 'No link was sampled.',
  });
  busiestCard(cards, sampled);
}

// ---- the drawn topology ----

function topologyCard(cards, runs) {
  const views = runs.map((run) => [run.label, run]);
  const comparable = runs.length > 1 && sameShape(runs[0].links.topology, runs[1].links.topology);
  const state = {run: runs[0], mode: 'mean', frame: 0, difference: false};
  let entry = null;
  const draw = () => entry && entry.draw();

  const output = element('output', {});
  const slider = element('input', {type: 'range', min: 0, value: 0, 'aria-label': 'Simulated time'});
  const mode = element('select', {'aria-label': 'What is shown'});
  const setUp = () => {
    const frames = state.difference ? 0 : state.run.links.topology.frames.length;
    mode.replaceChildren(...[['mean', 'mean of the run']].concat(state.run.links.samples ? [['peak', 'peak']] : []).concat(frames ? [['time', 'at a time']] : [])
      .map(([value, label]) => element('option', {value, text: label})));
    if ((state.mode === 'time' && !frames) || !state.run.links.samples) state.mode = 'mean';
    mode.value = state.mode;
    slider.max = String(Math.max(0, frames - 1));
    state.frame = Math.min(state.frame, Math.max(0, frames - 1));
    const shown = state.mode === 'time';
    slider.style.display = output.style.display = shown ? '' : 'none';
    if (shown) {
      const {start, end} = state.run.links.topology.frames[state.frame];
      output.textContent = `${formatTime(start, 3)} to ${formatTime(end, 3)}`;
    }
    draw();
  };
  mode.addEventListener('change', () => { state.mode = mode.value; setUp(); });
  slider.addEventListener('input', () => { state.frame = Number(slider.value); setUp(); });
  const controls = element('div', {class: 'controls'}, [mode, slider, output]);
  if (runs.length > 1) {
    controls.append(choice(views.map(([label], i) => [i, label]).concat(comparable ? [[-1, 'difference']] : []), 0, (i) => {
      state.difference = i === -1;
      if (i >= 0) state.run = runs[i];
      setUp();
    }));
  }
  const topology = state.run.links.topology;
  const bundled = topology.grouping === 'none' ? '' :
    ` ${formatCount(state.run.links.count)} links are drawn as ${formatCount(topology.links.length)} bundles (${topology.grouping}).`;
  entry = chartCard(cards, {
    id: 'topology', wide: true, height: 470, title: 'Link utilisation on the topology', controls,
    help: 'Hover a link or a node for its figures; Ctrl and the wheel zooms, dragging moves. A line has the colour of its busier direction.' + bundled,
    onMade: (chart) => hoverNearest(chart, () => scene(state, runs)),
  }, () => topologyOption(scene(state, runs), state));
  setUp();
}

const sameShape = (a, b) => a.nodes.length === b.nodes.length && a.links.length === b.links.length &&
  a.links.every((link, i) => link[0] === b.links[i][0] && link[1] === b.links[i][1]);

// Positions and shares as they are to be drawn: {nodes: [{x, y, ...}], links: [{a, b, shares: [ab, ba]}], title}
function scene(state, runs) {
  const topology = state.run.links.topology;
  const sharesOf = (t, i) => {
    const link = t.links[i];
    if (state.mode === 'peak') return [link[6], link[7]];
    if (state.mode === 'time') return [0, 1].map((side) => t.frames[state.frame].shares[2 * i + side] / 100);
    return [link[4], link[5]];
  };
  const nodes = placed(topology.nodes);
  const links = topology.links.map((link, i) => {
    let shares = sharesOf(topology, i);
    if (state.difference) {
      const [before, after] = [sharesOf(runs[0].links.topology, i), sharesOf(runs[1].links.topology, i)];
      shares = [after[0] - before[0], after[1] - before[1]];
    }
    return {a: nodes[link[0]], b: nodes[link[1]], count: link[2], rate: link[3], shares, mean: [link[4], link[5]], peak: [link[6], link[7]]};
  });
  return {nodes, links, difference: state.difference};
}

// Where no position was recorded the tiers are rows.
function placed(raw) {
  const nodes = raw.map(([name, isSwitch, tier, x, y, count]) => ({name, isSwitch: isSwitch === 1, tier, x, y, count}));
  const flat = nodes.every((node) => node.x === nodes[0].x && node.y === nodes[0].y);
  if (!flat) return nodes;
  const rows = new Map();
  for (const node of nodes) rows.set(node.tier, (rows.get(node.tier) || []).concat([node]));
  for (const row of rows.values()) row.forEach((node, i) => { node.x = (i + 0.5) / row.length; node.y = node.tier; });
  return nodes;
}

const busier = (shares) => (Math.abs(shares[0]) >= Math.abs(shares[1]) ? shares[0] : shares[1]);

function topologyOption({nodes, links, difference}) {
  const extent = (key) => {
    const values = nodes.map((node) => node[key]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const room = (high - low) * 0.04 || 1;
    return {min: low - room, max: high + room};
  };
  const widest = difference ? Math.max(0.01, ...links.map((link) => Math.abs(busier(link.shares)))) : 1;
  const color = (share) => (difference ? theme.rampColor(0.5 + 0.5 * share / widest) : theme.rampColor(share));
  const crowded = links.length > 400;
  const dense = links.length > 1200;
  const thin = dense ? 0.5 : crowded ? 0.9 : 1.6;
  const order = links.map((link, i) => i).sort((i, j) => Math.abs(busier(links[i].shares)) - Math.abs(busier(links[j].shares)));
  const symbolSize = (node) => (node.isSwitch ? 13 : 8) * (nodes.length > 150 ? 0.6 : 1);
  const switches = nodes.filter((node) => node.isSwitch).length;
  return baseOption({
    grid: {left: 12, right: 86, top: 12, bottom: 26, outerBoundsMode: 'none'},
    legend: {show: false},
    tooltip: tooltipOption({triggerOn: 'none', formatter: ({data}) => data.tip()}),
    xAxis: Object.assign({type: 'value', show: false}, extent('x')),
    yAxis: Object.assign({type: 'value', show: false}, extent('y')),
    dataZoom: [0, 1].map((i) => ({type: 'inside', [i ? 'yAxisIndex' : 'xAxisIndex']: 0, filterMode: 'none', zoomOnMouseWheel: 'ctrl', minSpan: 2})),
    visualMap: {
      type: 'continuous', right: 4, top: 'middle', min: difference ? -widest : 0, max: widest, calculable: false, itemHeight: 190, itemWidth: 11,
      text: [formatShare(widest), formatShare(difference ? -widest : 0)], textStyle: {color: theme.soft, fontSize: 11.5},
      inRange: {color: theme.ramp}, seriesIndex: [], hoverLink: false,
    },
    series: [
      {name: 'links', type: 'lines', coordinateSystem: 'cartesian2d', z: 2, progressive: 0, data: order.map((i) => {
        const link = links[i];
        return {coords: [[link.a.x, link.a.y], [link.b.x, link.b.y]], index: i, tip: () => linkTip(link, difference),
          lineStyle: {color: color(busier(link.shares)), width: thin + (crowded ? 1.4 : 3) * Math.min(1, Math.abs(busier(link.shares)) / widest), opacity: dense ? 0.8 : 1}};
      }), emphasis: {lineStyle: {color: theme.ink, width: 5}}},
      {name: 'nodes', type: 'scatter', z: 4, data: nodes.map((node) => ({
        value: [node.x, node.y], name: node.name, tip: () => nodeTip(node, links, difference), symbol: node.isSwitch ? 'roundRect' : 'circle',
        symbolSize: symbolSize(node),
        itemStyle: {color: theme.card, borderColor: node.isSwitch ? theme.ink : theme.soft, borderWidth: 1.6},
        label: {show: node.isSwitch ? switches <= 48 : nodes.length - switches <= 24, formatter: node.name, position: node.isSwitch ? 'top' : 'bottom',
          color: theme.soft, fontSize: 10.5, backgroundColor: theme.card, borderRadius: 3, padding: [1, 3]},
      }))},
    ],
  });
}

function linkTip(link, difference) {
  const show = difference ? signedShare : formatShare;
  return tipRows(`${link.a.name} – ${link.b.name}`, [
    {name: link.count > 1 ? `${link.count} links of` : 'rate', value: formatRate(link.rate)},
    {name: `${link.a.name} to ${link.b.name}`, value: show(link.shares[0])},
    {name: `${link.b.name} to ${link.a.name}`, value: show(link.shares[1])}].concat(difference ? [] : [
    {name: 'mean of the run', value: `${formatShare(link.mean[0])}, ${formatShare(link.mean[1])}`},
    {name: 'peak', value: `${formatShare(link.peak[0])}, ${formatShare(link.peak[1])}`}]));
}

function nodeTip(node, links, difference) {
  const mine = links.filter((link) => link.a === node || link.b === node);
  const sum = (pick) => mine.reduce((total, link) => total + pick(link) * link.count, 0) / Math.max(1, mine.reduce((total, link) => total + link.count, 0));
  const show = difference ? signedShare : formatShare;
  return tipRows(node.name, [
    {name: 'links', value: formatCount(mine.reduce((total, link) => total + link.count, 0))},
    {name: 'mean of those out', value: show(sum((link) => link.shares[link.a === node ? 0 : 1]))},
    {name: 'mean of those in', value: show(sum((link) => link.shares[link.a === node ? 1 : 0]))}]);
}

// A line of two pixels is hard to hit: whatever is nearest to the pointer shows its figures.
function hoverNearest(chart, current) {
  let shown = null;
  const hide = () => {
    if (shown) chart.dispatchAction({type: 'downplay', seriesIndex: shown[0], dataIndex: shown[1]});
    chart.dispatchAction({type: 'hideTip'});
    shown = null;
  };
  chart.getZr().on('globalout', hide);
  chart.getZr().on('mousemove', (event) => {
    const found = nearest(chart, event.offsetX, event.offsetY);
    if (!found) {
      hide();
      return;
    }
    if (!shown || shown[0] !== found[0] || shown[1] !== found[1]) {
      hide();
      shown = found;
      chart.dispatchAction({type: 'highlight', seriesIndex: found[0], dataIndex: found[1]});
    }
    chart.dispatchAction({type: 'showTip', seriesIndex: found[0], dataIndex: found[1], position: [event.offsetX + 14, event.offsetY + 14]});
  });
}

function nearest(chart, x, y) {
  const [linkSeries, nodeSeries] = chart.getOption().series;
  const pixel = (point) => chart.convertToPixel({xAxisIndex: 0, yAxisIndex: 0}, point);
  let best = null;
  let distance = NEAR_PX;
  nodeSeries.data.forEach((node, i) => {
    const [px, py] = pixel(node.value);
    const d = Math.hypot(px - x, py - y) - 3;
    if (d < distance) { distance = d; best = [1, i]; }
  });
  if (best) return best;
  linkSeries.data.forEach((link, i) => {
    const [ax, ay] = pixel(link.coords[0]);
    const [bx, by] = pixel(link.coords[1]);
    const [dx, dy] = [bx - ax, by - ay];
    const t = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1)));
    const d = Math.hypot(ax + t * dx - x, ay + t * dy - y);
    if (d < distance) { distance = d; best = [0, i]; }
  });
  return best;
}

// ---- the busiest links ----

function busiestCard(cards, runs) {
  let run = runs[0];
  let entry = null;
  const controls = runs.length > 1 ? choice(runs.map((r, i) => [i, r.label]), 0, (i) => { run = runs[i]; entry.draw(); }) : null;
  const rows = Math.max(...runs.map((r) => r.links.busiest.length));
  entry = chartCard(cards, {
    id: 'busiest', wide: true, height: 110 + 15 * rows, title: 'The busiest links over time', controls,
    help: 'One row a direction of a link, the busiest on average at the top.', empty: 'No link carried anything.',
  }, rows ? () => busiestOption(run) : null);
}

function busiestOption(run) {
  const {busiest, times, width} = run.links;
  const cells = [];
  busiest.forEach((row, y) => row.values.forEach((value, x) => cells.push([x, y, value / 100])));
  return baseOption({
    grid: {left: 190, right: 86, top: 12, bottom: 48, outerBoundsMode: 'none'},
    legend: {show: false},
    tooltip: tooltipOption({trigger: 'item', formatter: ({data}) => tipRows(busiest[data[1]].name, [
      {name: `${formatTime(times[data[0]], 3)} to ${formatTime(times[data[0]] + width, 3)}`, value: formatShare(data[2])},
      {name: 'mean of the run', value: formatShare(busiest[data[1]].mean)}, {name: 'peak', value: formatShare(busiest[data[1]].peak)}])}),
    xAxis: axis({type: 'category', data: times.map((t) => formatTime(t, 3)), name: 'simulated time', splitLine: {show: false}}),
    yAxis: axis({type: 'category', inverse: true, data: busiest.map((row) => row.name), splitLine: {show: false},
      axisLabel: {width: 176, overflow: 'truncate', interval: busiest.length > 24 ? 'auto' : 0}}),
    visualMap: {type: 'continuous', right: 4, top: 'middle', min: 0, max: 1, itemHeight: 150, itemWidth: 11, text: ['100 %', '0'],
      textStyle: {color: theme.soft, fontSize: 11.5}, inRange: {color: theme.ramp}, hoverLink: false},
    series: [{name: 'utilisation', type: 'heatmap', data: cells, progressive: 0, itemStyle: {borderWidth: 0}, emphasis: {itemStyle: {borderColor: theme.ink, borderWidth: 1}}}],
  });
}
