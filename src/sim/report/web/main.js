// Puts the page together from the data that rocelab wrote into it. `window.rocelabReport` is for tests and the curious.

function start() {
  const data = JSON.parse(document.getElementById('data').textContent);
  const two = data.runs.length > 1;
  // Two files of one name (a/results.db, b/results.db) need labels that differ.
  const sameName = two && data.runs[0].run.file === data.runs[1].run.file;
  const runs = data.runs.map((run, index) => Object.assign(run, {
    index, label: sameName ? `${'AB'[index]} (${run.run.file})` : run.run.file.replace(/\.(db|sqlite3?)$/, ''), color: () => theme.category(index)}));
  startTheme(redrawAll);

  const names = [...new Set(runs.map((run) => run.run.scenario_name))];
  document.title = `${names.join(' and ')} – rocelab`;
  document.getElementById('title').textContent = names.join(' and ');
  document.getElementById('subtitle').textContent = runs.map((run) =>
    `${run.run.file}: rocelab ${run.run.version}, seed ${run.run.seed}, ${run.run.status}, ${formatTime(run.run.simulated_ps)} simulated`).join('  ·  ');
  document.getElementById('footer').textContent = `Written by rocelab ${data.version} report. Charts: Apache ECharts ${echarts.version}.`;

  summary(runs);
  comparisonSection(runs);
  flowSection(runs);
  sampleSection(runs);
  linkSection(runs);
  timelineSection(runs);
  findingSection(runs);
  scenarioSection(runs);
  window.rocelabReport = {data, charts, ready: true};
}

start();
