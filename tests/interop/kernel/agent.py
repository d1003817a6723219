"""The guest's end of the control channel: runs what the driver (vm.py) asks for and says how it went. One line of JSON a
message on a virtio serial port. Requests name a number; replies carry it, in whatever order programs end.

    {"id": 1, "run": [words], "env": {...}, "seconds": 60}   -> {"id": 1, "pid": ...} at once, then
                                                                {"id": 1, "status": 0, "output": "...", "hung": false}
    {"id": 2, "listening": port, "seconds": 60, "pid": 0}    -> {"id": 2, "listening": true}; in that process's namespace
    {"id": 3, "kill": pid}                                   -> nothing more than the killed program's own reply
    {"bye": 1}                                               -> the machine powers off
"""
import glob
import json
import os
import signal
import subprocess
import threading
import time

NAME = "rocelab"
LISTENING = "0A"


def open_channel():
    for path in glob.glob("/sys/class/virtio-ports/*/name"):
        with open(path, encoding="ascii") as name:
            if name.read().strip() == NAME:
                return open("/dev/" + path.split("/")[-2], "r+b", buffering=0)
    raise SystemExit("no control channel")


def is_listening(port, pid):
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as lines:
                for line in lines:
                    fields = line.split()
                    if fields[1].endswith(f":{port:04X}") and fields[3] == LISTENING:
                        return True
        except OSError:
            pass  # it has ended
    return False


class Agent:
    def __init__(self):
        self.channel = open_channel()
        self.writing = threading.Lock()

    def reply(self, **message):
        data = (json.dumps(message) + "\n").encode()
        with self.writing:
            while data:
                data = data[self.channel.write(data):]

    def run(self, request):
        number = request["id"]
        try:
            process = subprocess.Popen(request["run"], env=dict(os.environ, **request.get("env", {})), text=True,
                                       errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            self.reply(id=number, pid=0)
            self.reply(id=number, status=127, output=str(error), hung=False)
            return
        self.reply(id=number, pid=process.pid)
        hung = False
        try:
            output, _ = process.communicate(timeout=request["seconds"])
        except subprocess.TimeoutExpired:
            hung = True
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        self.reply(id=number, status=process.returncode, output=output, hung=hung)

    def listening(self, request):
        deadline = time.monotonic() + request["seconds"]
        port, pid = request["listening"], request["pid"]
        while not (found := is_listening(port, pid)) and os.path.exists(f"/proc/{pid}") and time.monotonic() < deadline:
            time.sleep(0.05)  # nothing to wait on: the table is a text
        self.reply(id=request["id"], listening=found)

    def serve(self):
        self.reply(id=0, ready=True)
        rest = b""
        while True:
            data = self.channel.read(65536)
            rest += data or b""
            while b"\n" in rest:
                line, rest = rest.split(b"\n", 1)
                request = json.loads(line)
                if "bye" in request:
                    return
                if "kill" in request:
                    try:
                        os.killpg(request["kill"], signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                    continue
                work = self.run if "run" in request else self.listening
                threading.Thread(target=work, args=(request,), daemon=True).start()


Agent().serve()
