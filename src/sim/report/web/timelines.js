// Timelines of collectives and training steps: a row a rank, a bar a step.

function timelineSection(runs) {
  if (!runs.some((run) => run.timelines.shown.length > 0)) return;
  const cards = section('timelines', 'Timelines');
  const names = [...new Set(runs.flatMap((run) => run.timelines.shown.map((t) => t.name)))];
  for (const name of names) {
    const having = runs.filter((run) => run.timelines.shown.some((t) => t.name === name));
    const of = (run) => run.timelines.shown.find((t) => t.name === name);
    let run = having[0];
    let entry = null;
    const controls = having.length > 1 ? choice(having.map((r, i) => [i, r.label]), 0, (i) => { run = having[i]; entry.draw(); }) : null;
    const lanes = Math.max(...having.map((r) => of(r).lanes.length));
    const left = Math.max(...having.map((r) => of(r).lanes_before));
    entry = chartCard(cards, {
      id: 'timeline-' + names.indexOf(name), wide: true, height: Math.min(900, 120 + Math.max(12, 22 - lanes / 4) * lanes), title: name, controls,
      help: 'A row is a rank and its host. Ctrl and the wheel zooms.' + (left > lanes ? ` ${lanes} of ${left} ranks are shown.` : ''),
    }, () => timelineOption(of(run), Math.max(...having.map((r) => of(r).end))));
  }
  const hidden = Math.max(...runs.map((run) => run.timelines.count - run.timelines.shown.length));
  if (hidden > 0) cards.append(element('p', {class: 'card wide', text: `${hidden} more timelines are in the results file.`}));
}

function timelineOption(timeline, end) {
  const unit = timeUnit(end);
  const bars = timeline.operations.map(() => []);
  for (const [lane, operation, start, stop, bytes, label, open] of timeline.bars) {
    bars[operation].push({value: [lane, start / unit.scale, stop / unit.scale], bytes, label, open, start, stop});
  }
  return baseOption({
    grid: {left: 120, right: 24, top: 40, bottom: 48, outerBoundsMode: 'none'},
    tooltip: tooltipOption({trigger: 'item', formatter: ({data, seriesName}) => tipRows(
      `${seriesName}${data.label ? ': ' + data.label : ''}`, [
        {name: 'rank', value: timeline.lanes[data.value[0]]}, {name: 'from', value: formatTime(data.start, 5)},
        {name: data.open ? 'not finished by' : 'to', value: formatTime(data.stop, 5)}, {name: 'took', value: formatTime(data.stop - data.start)},
        {name: 'moved', value: formatSize(data.bytes)}])}),
    xAxis: axis({type: 'value', name: `simulated time (${unit.name})`, min: timeline.start / unit.scale, max: end / unit.scale, axisLabel: {formatter: (v) => significant(v, 5)}}),
    yAxis: axis({type: 'category', inverse: true, data: timeline.lanes, splitLine: {show: false}, axisLabel: {width: 108, overflow: 'truncate'}}),
    dataZoom: [{type: 'inside', filterMode: 'weakFilter', zoomOnMouseWheel: 'ctrl'}],
    series: timeline.operations.map((name, i) => ({
      name, type: 'custom', color: theme.category(i), itemStyle: {color: theme.category(i)}, encode: {x: [1, 2], y: 0}, data: bars[i],
      renderItem: (params, api) => {
        const [x0, y] = api.coord([api.value(1), api.value(0)]);
        const [x1] = api.coord([api.value(2), api.value(0)]);
        const height = api.size([0, 1])[1] * 0.72;
        const shape = echarts.graphic.clipRectByRect({x: x0, y: y - height / 2, width: Math.max(1, x1 - x0 - 0.6), height},
          {x: params.coordSys.x, y: params.coordSys.y, width: params.coordSys.width, height: params.coordSys.height});
        return shape && {type: 'rect', shape: Object.assign(shape, {r: 1.5}), style: {fill: theme.category(i)}, emphasis: {style: {stroke: theme.ink, lineWidth: 1.5}}};
      },
    })),
  });
}
