"""A guest with Debian's kernel under QEMU's software emulation, and its control channel. The guest sees the host's file
system by 9p, so that whatever is installed or built here runs there. Used by run.py and perf/rxe_vm.

    with Vm(folder, nic=["-netdev", ...]) as vm:
        job = vm.start(["ibv_devinfo"]); status, output, hung = job.wait()

The guest takes some 35 s to boot and is 10 to 30 times slower than the machine; every wait has a limit.
"""
import glob
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT_SECONDS = 300
REPLY_SECONDS = 60  # beyond what the guest was given


class VmError(Exception):
    pass


def kernels():
    """Versions that have both an image that we may read and modules."""
    found = []
    for modules in glob.glob("/lib/modules/*/kernel/drivers/infiniband/sw/rxe"):
        version = modules.split("/")[3]
        if os.access(f"/boot/vmlinuz-{version}", os.R_OK):
            found.append(version)
    return sorted(found, key=lambda v: [int(p) if p.isdigit() else 0 for p in v.replace("-", ".").split(".")])


def why_not():
    """Why there can be no guest here, or nothing."""
    for program, package in (("qemu-system-x86_64", "qemu-system-x86"), ("busybox", "busybox-static"), ("cpio", "cpio"),
                             ("modprobe", "kmod")):
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            return f"{program} is not installed (package {package})"
    if not kernels():
        return "no kernel image with rdma_rxe in /boot and /lib/modules (package linux-image-amd64)"
    return None


class Job:
    """A program in the guest."""

    def __init__(self, vm, number, seconds):
        self.vm, self.number, self.seconds = vm, number, seconds
        self.pid = None
        self.result = None

    def wait(self):
        """Status, output, and whether it was ended because it had used up its time."""
        deadline = time.monotonic() + self.seconds + REPLY_SECONDS
        self.vm.await_(lambda: self.result is not None, deadline)
        return self.result["status"], self.result["output"], self.result["hung"]

    def ended(self):
        return self.result is not None

    def kill(self):
        self.vm.await_(lambda: self.pid is not None, time.monotonic() + REPLY_SECONDS)
        if self.result is None and self.pid:
            self.vm.send(id=self.number, kill=self.pid)


class Vm:
    def __init__(self, nic=("-nic", "none"), cpus=2, memory="1536M"):
        self.folder = tempfile.mkdtemp(prefix="rocelab-vm-")
        self.nic, self.cpus, self.memory = list(nic), cpus, memory
        self.jobs, self.heard = {}, {}
        self.number = 0
        self.news = threading.Condition()
        self.process = self.channel = None
        self.gone = False

    def __enter__(self):
        kernel = kernels()[-1]
        initrd = os.path.join(self.folder, "initrd.gz")
        environment = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
        subprocess.run([os.path.join(HERE, "make_initrd.sh"), initrd, kernel], check=True, env=environment)
        path = os.path.join(self.folder, "channel")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen(1)
            server.settimeout(BOOT_SECONDS)
            self.process = subprocess.Popen(
                ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(self.cpus),
                 "-m", self.memory, "-display", "none", "-monitor", "none", "-no-reboot",
                 "-kernel", f"/boot/vmlinuz-{kernel}", "-initrd", initrd,
                 "-append", f"console=ttyS0 quiet mitigations=off net.ifnames=0 panic=-1 init_script={HERE}/guest_init.sh",
                 "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
                 "-device", "virtio-serial-pci", "-chardev", f"socket,id=channel,path={path}",
                 "-device", "virtserialport,chardev=channel,name=rocelab",
                 "-serial", f"file:{self.folder}/console.log", *self.nic],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            try:
                self.channel, _ = server.accept()
            except socket.timeout:
                self.__exit__()
                raise VmError("QEMU did not start") from None
        threading.Thread(target=self.listen, daemon=True).start()
        try:
            self.await_(lambda: 0 in self.heard, time.monotonic() + BOOT_SECONDS)
        except VmError as error:
            console = self.console()
            self.__exit__()
            raise VmError(f"the guest did not boot: {error}\n{console[-3000:]}") from None
        return self

    def __exit__(self, *_):
        try:
            if self.channel is not None and self.process.poll() is None:
                self.send(bye=1)
                self.process.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            pass
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def console(self):
        """What the guest's kernel has complained about."""
        try:
            with open(os.path.join(self.folder, "console.log"), encoding="utf-8", errors="replace") as log:
                return log.read()
        except OSError:
            return ""

    def listen(self):
        with self.channel.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                with self.news:
                    job = self.jobs.get(message["id"])
                    if job is None:
                        self.heard[message["id"]] = message
                    elif "pid" in message:
                        job.pid = message["pid"]
                    else:
                        job.result = message
                    self.news.notify_all()
        with self.news:
            self.gone = True
            self.news.notify_all()

    def await_(self, condition, deadline):
        with self.news:
            while not condition():
                if self.gone:
                    raise VmError("the guest has gone")
                if not self.news.wait(max(deadline - time.monotonic(), 0)) and not condition():
                    raise VmError("the guest does not answer")

    def send(self, **message):
        self.channel.sendall((json.dumps(message) + "\n").encode())

    def start(self, words, seconds=60, **variables):
        self.number += 1
        job = self.jobs[self.number] = Job(self, self.number, seconds)
        self.send(id=self.number, run=[str(w) for w in words], seconds=seconds, env=variables)
        return job

    def run(self, *words, seconds=60, **variables):
        """The output of a program that must succeed."""
        status, output, hung = self.start(words, seconds, **variables).wait()
        if status != 0 or hung:
            raise VmError(f"in the guest, {' '.join(map(str, words))}: status {status}: {output}")
        return output

    def shell(self, text, seconds=60):
        return self.run("/bin/bash", "-e", "-c", text, seconds=seconds)

    def listening(self, port, job, seconds=60):
        """Waits until somebody in the namespace of `job` listens on a TCP port; false when it ends without."""
        self.await_(lambda: job.pid is not None, time.monotonic() + REPLY_SECONDS)
        self.number += 1
        number = self.number
        self.send(id=number, listening=port, seconds=seconds, pid=job.pid)
        self.await_(lambda: number in self.heard, time.monotonic() + seconds + REPLY_SECONDS)
        return self.heard.pop(number)["listening"]
