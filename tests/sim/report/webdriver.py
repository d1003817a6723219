"""A small WebDriver client over Python's standard library: starts chromedriver, and with it a headless Chromium of its
own profile; runs scripts, moves the pointer, reads the console and the list of requests. Used by page_test.py and
tools/screenshot."""
import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile


class WebDriverError(Exception):
    pass


def missing_programs():
    """Names of what is not installed."""
    return [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]


class Browser:
    """One headless browser window; a context manager that ends what it started."""

    def __init__(self, width=1400, height=1000, arguments=()):
        self._profile = tempfile.TemporaryDirectory(prefix="rocelab-chromium-", ignore_cleanup_errors=True)
        self._driver = subprocess.Popen(["chromedriver", "--port=0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self._session = None
        try:
            self._port = self._read_port()
            options = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
                       "--disable-extensions", "--disable-background-networking", "--disable-component-update",
                       "--force-device-scale-factor=1", f"--window-size={width},{height}",
                       f"--user-data-dir={self._profile.name}", *arguments]
            if os.geteuid() == 0:
                options.append("--no-sandbox")  # Chromium's sandbox refuses to work for root
            capabilities = {"browserName": "chrome",
                            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                            "goog:chromeOptions": {"binary": shutil.which("chromium"), "args": options}}
            answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
            self._session = answer["sessionId"]
            self.command("timeouts", {"script": 60000, "pageLoad": 60000})
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        if self._session is not None:
            try:
                self._call("DELETE", f"/session/{self._session}")
            except (OSError, WebDriverError):
                pass
            self._session = None
        self._driver.terminate()
        self._driver.wait()
        self._driver.stdout.close()
        self._profile.cleanup()

    def _read_port(self):
        said = ""
        for line in self._driver.stdout:
            said += line
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                return int(found.group(1))
        raise WebDriverError("chromedriver did not start: " + said)

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value and "message" in value:
            raise WebDriverError(f"{value['error']}: {value['message']}")
        return value

    def command(self, path, body=None):
        return self._call("POST", f"/session/{self._session}/{path}", body or {})

    def open(self, url):
        self.command("url", {"url": url})

    def script(self, source, *arguments):
        """What the function body `source` returns."""
        return self.command("execute/sync", {"script": source, "args": list(arguments)})

    def script_async(self, source, *arguments):
        """What `source` hands to the function that is its last argument."""
        return self.command("execute/async", {"script": source, "args": list(arguments)})

    def move_to(self, x, y):
        """The pointer to a place of the window, with a step before it so that something moves."""
        steps = [{"type": "pointerMove", "duration": 0, "x": int(x) + dx, "y": int(y), "origin": "viewport"} for dx in (2, 0)]
        self.command("actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
                                              "actions": steps}]})

    def click(self, selector):
        found = self.command("element", {"using": "css selector", "value": selector})
        self.command(f"element/{next(iter(found.values()))}/click")

    def devtools(self, method, **parameters):
        return self.command("goog/cdp/execute", {"cmd": method, "params": parameters})

    def screenshot(self):
        """PNG of the window."""
        return base64.b64decode(self._call("GET", f"/session/{self._session}/screenshot"))

    def console(self):
        """Messages since the last call, as "LEVEL text"."""
        return [f"{entry['level']} {entry['message']}" for entry in self.command("se/log", {"type": "browser"})]

    def requests(self):
        """URLs asked for since the last call."""
        urls = []
        for entry in self.command("se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                urls.append(message["params"]["request"]["url"])
        return urls
