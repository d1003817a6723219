"""The page of `rocelab report` in a real browser: every chart has drawn what the results file holds, hovering shows
values, nothing is asked of the network and the console stays silent.

usage: page_test.py ROCELAB MAKE_RESULTS SCENARIO
"""
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import webdriver

ROCELAB, MAKE_RESULTS, SCENARIO = (os.path.abspath(path) for path in sys.argv[1:4])
PAGE_BYTES_MAX = 5_000_000
# Pixels of a chart's canvas that differ from its first one, and how many colours they have.
COUNT_PIXELS = """
const canvas = document.querySelector('#chart-' + arguments[0] + ' canvas');
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
const colors = new Set();
let count = 0;
for (let i = 0; i < data.length; i += 4) {
  if (data[i + 3] === 0) continue;
  count += 1;
  colors.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
}
return [count, colors.size];
"""
# Lengths of the data of a chart's series, by name.
COUNT_DATA = """
const series = rocelabReport.charts.get(arguments[0]).chart.getOption().series;
return Object.fromEntries(series.map((s) => [s.name, s.data.length]));
"""
# Scrolls a chart into view; the place in the window of a point given in the chart's coordinates.
PLACE_OF = """
const [id, point] = arguments;
const {chart} = rocelabReport.charts.get(id);
document.documentElement.style.scrollBehavior = 'auto';
chart.getDom().scrollIntoView({block: 'center'});
const box = chart.getDom().getBoundingClientRect();
const pixel = chart.convertToPixel({xAxisIndex: 0, yAxisIndex: 0}, point);
return [box.left + pixel[0], box.top + pixel[1]];
"""
TOOLTIP = """
const done = arguments[arguments.length - 1];
const dom = rocelabReport.charts.get(arguments[0]).chart.getDom();
let left = 60;  // frames: the tooltip is made in the next one
const look = () => {
  const box = [...dom.children].find((child) => !child.querySelector('canvas') && child.tagName === 'DIV' && child.style.opacity !== '0'
    && getComputedStyle(child).visibility !== 'hidden' && child.innerText.trim() !== '');
  if (box || left-- === 0) done(box ? box.innerText : '');
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="rocelab-page-")
        cls.browser = webdriver.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def make(self, name, **settings):
        words = [f"{key}={value}" for key, value in settings.items()]
        subprocess.run([MAKE_RESULTS, self.path(name), *words], check=True, timeout=120)
        return self.path(name)

    def open_page(self, *results):
        page = self.path("page.html")
        run = subprocess.run([ROCELAB, "report", *results, "-o", page], capture_output=True, text=True, timeout=120)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, page + "\n", ""))
        self.assertLess(os.path.getsize(page), PAGE_BYTES_MAX)
        self.browser.open("about:blank")
        self.browser.console(), self.browser.requests()  # what was before is not of this page
        url = pathlib.Path(page).as_uri()
        self.browser.open(url)
        self.assertIs(self.browser.script("return window.rocelabReport !== undefined && rocelabReport.ready"), True,
                      self.browser.console())
        self.url = url

    def check_silent(self):
        self.assertEqual(self.browser.console(), [])
        self.assertEqual([url for url in self.browser.requests() if url != self.url and not url.startswith(("data:", "about:"))],
                         [])

    def charts(self):
        return self.browser.script("return [...rocelabReport.charts.keys()]")

    def check_drawn(self):
        for chart in self.charts():
            with self.subTest(chart=chart):
                pixels, colors = self.browser.script(COUNT_PIXELS, chart)
                self.assertGreater(pixels, 1000)
                self.assertGreater(colors, 10)

    def hover(self, chart, point):
        x, y = self.browser.script(PLACE_OF, chart, point)
        self.browser.move_to(x, y)
        return self.browser.script_async(TOOLTIP, chart)

    def test_one_run(self):
        """charts: each has drawn, and holds as many points as the results have"""
        results = self.make("one.db", flows=800)
        self.open_page(results)
        self.assertEqual(self.charts(), ["slowdown-by-size", "slowdown-cdf", "fct-cdf", "queue-depth", "queue-top", "pause",
                                         "pause-top", "topology", "layers", "busiest", "timeline-0"])
        self.check_drawn()
        database = sqlite3.connect(results)
        one = lambda sql: database.execute(sql).fetchone()[0]
        finished = one("SELECT count(*) FROM flow_time")
        data = lambda text: self.browser.script("const run = rocelabReport.data.runs[0]; return " + text)
        self.assertEqual(data("run.flows.buckets.reduce((sum, bucket) => sum + bucket.count, 0)"), finished)
        self.assertEqual(data("run.flows.curves.map((c) => c.name)"), ["all flows", "background", "incast"])
        slowdowns = self.browser.script(COUNT_DATA, "slowdown-by-size")
        buckets = data("run.flows.buckets.length")
        self.assertIn(buckets, range(12, 19))
        self.assertEqual(slowdowns, {"flows": finished, "median": buckets, "95 %": buckets, "99 %": buckets, "slowest": buckets})
        self.assertEqual(self.browser.script(COUNT_DATA, "topology"),
                         {"links": one("SELECT count(*) FROM link"), "nodes": one("SELECT count(*) FROM node")})
        self.assertEqual(self.browser.script(COUNT_DATA, "queue-depth"),
                         {"tier 1 switches": 1 + one("SELECT count(DISTINCT at_ps) FROM queue_sample")})  # and the beginning
        self.assertEqual(sum(self.browser.script(COUNT_DATA, "timeline-0").values()), one("SELECT count(*) FROM span"))
        self.assertEqual(self.browser.script(COUNT_DATA, "busiest"), {"utilisation": 40 * 50})
        # Against the database: the slowest flow of all, the fullest queue, one link's mean utilisation.
        self.assertAlmostEqual(data("run.flows.curves[0].slowdown.max"), one("SELECT max(slowdown) FROM flow_time"), delta=0.01)
        self.assertEqual(data("run.queues.max"), one("SELECT max(bytes_max) FROM queue_sample"))
        self.assertAlmostEqual(data("run.links.topology.links[0][4]"), one(
            "SELECT sum(bytes) * 8e12 / (1e11 * max(end_ps)) FROM link_sample WHERE link = 0 AND direction = 0"), delta=1e-3)
        # Texts of the scenario are texts.
        self.assertIn("</script> & \"quotes\"", self.browser.script("return document.querySelector('pre').textContent"))
        self.assertIn("\"and\" <that> is", self.browser.script("return document.querySelector('#findings').innerText"))
        self.check_silent()

    def test_hovering(self):
        """hovering: every kind of chart shows names and values"""
        self.open_page(self.make("hover.db", flows=300))
        data = lambda text: self.browser.script("const run = rocelabReport.data.runs[0]; return " + text)
        bucket = data("run.flows.buckets[8]")
        said = self.hover("slowdown-by-size", [bucket["bytes"], bucket["p50"]])
        self.assertRegex(said, r"flows\s+%d\b" % bucket["count"])
        self.assertRegex(said, r"median\s+[\d.]+×")
        self.assertRegex(self.hover("slowdown-cdf", [2, 0.5]), r"(?s)within [\d.]+×.*all flows\s+[\d.]+ %.*incast")
        self.assertRegex(self.hover("fct-cdf", [5e7, 0.5]), r"(?s)within [\d.]+ .s.*all flows\s+[\d.]+ %")
        self.assertRegex(self.hover("queue-depth", [250, 1e5]), r"(?s)at 2[45]0 µs.*tier 1 switches\s+[\d.]+ KB")
        self.assertRegex(self.hover("queue-top", [250, 1e5]), r"leaf0 port 0, priority 3\s+[\d.]+ KB")
        self.assertRegex(self.hover("pause", [250, 0.5]), r"hosts\s+[\d.]+")
        self.assertRegex(self.hover("pause-top", [250, 0.2]), r"host\d+, priority 3\s+[\d.]+ %")
        self.assertRegex(self.hover("layers", [250, 0.5]), r"hosts to tier 1\s+[\d.]+ %")
        self.assertRegex(self.hover("busiest", [10, 0]), r"(?s) to .*100 µs to 110 µs\s+[\d.]+ %")
        nodes, link = data("run.links.topology.nodes"), data("run.links.topology.links[0]")
        middle = [(nodes[link[0]][3] + nodes[link[1]][3]) / 2, (nodes[link[0]][4] + nodes[link[1]][4]) / 2]
        self.assertRegex(self.hover("topology", middle), r"(?s)host0 – leaf0\s+rate\s+100 Gb/s\s+host0 to leaf0\s+[\d.]+ %")
        leaf = next(node for node in nodes if node[0] == "leaf0")
        self.assertRegex(self.hover("topology", [leaf[3], leaf[4]]), r"(?s)leaf0\s+links\s+6\s+mean of those out\s+[\d.]+ %")
        bar = data("run.timelines.shown[0].bars[0]")
        said = self.hover("timeline-0", [(bar[2] + bar[3]) / 2 / 1e6, bar[0]])
        self.assertRegex(said, r"(?s)all-reduce: step 1 of 12\s+rank\s+0 \(host0\).*moved\s+1.049 MB")
        self.check_silent()

    def test_theme_and_controls(self):
        """controls: light and dark, and the slider over time, draw anew"""
        self.browser.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        self.open_page(self.make("theme.db"))
        theme = lambda: self.browser.script("return document.documentElement.dataset.theme")
        picture = lambda: self.browser.script("return document.querySelector('#chart-topology canvas').toDataURL()")
        self.assertEqual(theme(), "dark")
        dark = picture()
        self.browser.click("#theme")
        self.assertEqual(theme(), "light")
        light = picture()
        self.assertNotEqual(dark, light)
        self.check_drawn()
        seen = {light}
        choose = ("const select = document.querySelector('#links select'); select.value = arguments[0];"
                  "select.dispatchEvent(new Event('change'));")
        for mode in ("peak", "time"):
            self.browser.script(choose, mode)
            seen.add(picture())
        self.browser.script("const slider = document.querySelector('#links input'); slider.value = 30;"
                            "slider.dispatchEvent(new Event('input'));")
        seen.add(picture())
        self.assertEqual(len(seen), 4)
        self.assertEqual(self.browser.script("return document.querySelector('#links output').textContent"), "300 µs to 310 µs")
        self.browser.devtools("Emulation.setEmulatedMedia", features=[])
        self.check_silent()

    def test_comparison(self):
        """two runs: both are in the charts, and their differences in the tables"""
        self.open_page(self.make("before.db", seed=1), self.make("after.db", seed=2, kmin_bytes=100000, interrupted=1))
        self.assertIn("slowdown-ratio", self.charts())
        self.check_drawn()
        self.assertEqual(sorted(self.browser.script(COUNT_DATA, "slowdown-cdf")), ["after", "before"])
        self.assertIn("before median", self.browser.script(COUNT_DATA, "slowdown-by-size"))
        text = self.browser.script("return document.querySelector('#comparison').innerText")
        self.assertRegex(text, r"99 % slowdown\s+[\d.]+×\s+[\d.]+×\s+[+-][\d.]+ %")
        self.assertRegex(text, r"switch.ecn.kmin_bytes\s+0\s+100000")
        self.assertNotIn("transport.congestion", text)
        self.assertIn("after: partial results: the run was interrupted",
                      self.browser.script("return document.querySelector('.partial').innerText"))
        before = self.browser.script("return document.querySelector('#chart-topology canvas').toDataURL()")
        self.browser.script("[...document.querySelectorAll('#links button')].find((b) => b.textContent === 'difference').click()")
        after = self.browser.script("return document.querySelector('#chart-topology canvas').toDataURL()")
        self.assertNotEqual(before, after)
        first = self.hover("slowdown-ratio", [3, 0])
        self.assertRegex(first, r"median change\s+[+-]?[\d.]+ %")
        self.check_silent()

    def test_large(self):
        """a large run: links are bundled, rows are few, the page stays small"""
        self.open_page(self.make("large.db", leaves=64, spines=32, hosts_per_leaf=32, flows=60000, samples=40))
        self.check_drawn()
        data = lambda text: self.browser.script("const run = rocelabReport.data.runs[0]; return " + text)
        self.assertEqual(data("run.links.count"), 64 * 32 * 2)
        self.assertEqual(data("run.links.topology.grouping"), "hosts of a switch")
        self.assertEqual(data("run.links.topology.links.length"), 64 + 64 * 32)
        self.assertLessEqual(data("run.flows.dots.length"), 1500)
        self.assertLessEqual(data("run.timelines.shown[0].lanes.length"), 64)
        self.assertEqual(data("run.flows.finished"), 59400)
        self.check_silent()

    def test_simulated(self):
        """a run that was simulated: its page draws like the made-up ones"""
        results = self.path("simulated.db")
        subprocess.run([ROCELAB, "sim", SCENARIO, "--quiet", "--out", results], check=True, timeout=120)
        self.open_page(results)
        for chart in ("slowdown-by-size", "slowdown-cdf", "fct-cdf", "queue-depth", "topology", "layers", "busiest"):
            self.assertIn(chart, self.charts())
        self.check_drawn()
        finished = sqlite3.connect(results).execute("SELECT count(*) FROM flow_time").fetchone()[0]
        self.assertGreater(finished, 0)
        self.assertEqual(self.browser.script("return rocelabReport.data.runs[0].flows.finished"), finished)
        self.check_silent()
        # Without samples the links' means come from what the ports have counted: frames without preamble and gap.
        sampled = self.browser.script("return rocelabReport.data.runs[0].links.topology.links")
        subprocess.run([ROCELAB, "sim", SCENARIO, "--quiet", "--set", "sampling.interval=0ps", "--out", results], check=True, timeout=120)
        self.open_page(results)
        counted = self.browser.script("return rocelabReport.data.runs[0].links.topology.links")
        for a, b in zip(sampled, counted, strict=True):
            self.assertAlmostEqual(a[4], b[4], delta=0.03)
            self.assertAlmostEqual(a[5], b[5], delta=0.03)

    def test_canary(self):
        """the checks themselves: a request and an error on the console are seen"""
        self.open_page(self.make("canary.db", flows=10, samples=2))
        self.browser.script_async("const done = arguments[0]; const image = new Image();"
                                  "image.onerror = () => done(0); image.src = 'http://127.0.0.1:9/x.png';")
        self.assertTrue(any("127.0.0.1:9" in line for line in self.browser.console()))
        with self.assertRaises(AssertionError):
            self.browser.script("console.error('oh')")
            self.check_silent()

    def test_empty(self):
        """an empty run: the page says that nothing was recorded"""
        self.open_page(self.make("empty.db", flows=0, samples=0))
        self.assertEqual(self.charts(), ["topology", "timeline-0"])
        self.assertIn("No flow has finished.", self.browser.script("return document.body.innerText"))
        self.assertIn("No queue was sampled.", self.browser.script("return document.body.innerText"))
        self.check_silent()


def main():
    missing = webdriver.missing_programs()
    if missing:
        print("SKIP: not installed:", *missing)
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)


main()
