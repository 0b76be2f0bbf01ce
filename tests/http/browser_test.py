"""A WebSocket of libguv_http and a real browser, headless Chromium. Usage: browser_test.py path/to/http_server"""
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.parse

from client import Server

SECONDS = 90  # for a browser to start on a machine that is busy
CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')


@unittest.skipUnless(CHROMIUM, 'chromium is not installed')
class Browser(unittest.TestCase):
    def test_text_bytes_subprotocol_compression_and_close(self):
        with Server(access_log=1) as server, tempfile.TemporaryDirectory() as profile:
            command = [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
                       '--no-first-run', '--disable-background-networking', f'--user-data-dir={profile}', '--remote-debugging-port=0',
                       f'http://127.0.0.1:{server.port}/page']
            with open(os.path.join(profile, 'said'), 'wb+') as said:
                browser = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                                           start_new_session=True)
                try:
                    seen = self.watch(server, browser)
                finally:
                    os.killpg(browser.pid, signal.SIGKILL)
                    browser.wait()
                if not any('GET /page ' in line for line in seen):
                    said.seek(0)
                    self.skipTest(f'chromium does not start here: {said.read()[-500:]!r}')
            reports = [line.split('/report?name=')[1].split()[0] for line in seen if '/report?' in line]
            self.assertEqual([urllib.parse.unquote(report) for report in reports],
                             ['good permessage-deflate 4321 done true'], seen)
            self.assertIn('closed with 4321 "done"', seen)

    def watch(self, server, browser):
        """The server's log up to the report of the page."""
        seen, until = [], time.monotonic() + SECONDS
        while time.monotonic() < until and browser.poll() is None:
            if select.select([server.process.stdout], [], [], 1)[0]:
                seen.append(server.process.stdout.readline().decode().rstrip('\n'))
                if '/report?' in seen[-1]:
                    break
        return seen


if __name__ == '__main__':
    unittest.main()
