"""requests_threads.py URL THREADS FILES: every thread gets its file twice over one session; all of them at once."""

import hashlib
import sys
import threading

import requests

url, count, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
together = threading.Barrier(count)
lock = threading.Lock()
lines = {}
sizes = []


def work(number):
    with requests.Session() as session:
        first = session.get(f"{url}/file{number % files}", timeout=30)
        together.wait(60)  # Everybody is here with an open connection.
        again = session.get(f"{url}/file{number % files}", timeout=30)
    same = first.content == again.content
    with lock:
        lines[number] = f"{number} {again.status_code} {hashlib.sha256(again.content).hexdigest()}{'' if same else ' differs'}"
        sizes.append(len(again.content))


threads = [threading.Thread(target=work, args=(number,), name=f"getter-{number}") for number in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for number in range(count):
    print(lines[number])
print(f"{len(sizes)} files, {sum(sizes)} bytes, {threading.active_count()} thread left")
