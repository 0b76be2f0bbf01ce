"""The sanitizers of http_server_sanitized do find what is lost.
Usage: sanitizers_test.py path/to/http_server_sanitized"""
import unittest

from client import Server, get


class Sanitizers(unittest.TestCase):
    def test_a_leak_is_found(self):
        with self.assertRaisesRegex(AssertionError, 'LeakSanitizer'), Server() as server:
            self.assertEqual(server.ask(get('/leak')).status, 200)


if __name__ == '__main__':
    unittest.main()
