"""How a server of libguv_http ends. Usage: stop_test.py path/to/http_server"""
import time
import unittest

from client import PATIENCE, Server, get


class Stop(unittest.TestCase):

    def test_idle_connections_are_closed_and_running_requests_answered(self):
        with Server() as server, server.connect() as idle, server.connect() as new, server.connect() as busy:
            idle.send(get('/hello'))
            self.assertEqual(idle.response().status, 200)
            busy.send_and_see_read(get('/held'))
            server.process.terminate()
            self.assertTrue(idle.is_closed())
            self.assertTrue(new.is_closed())
            server.release()
            response = busy.response()
            self.assertEqual((response.body, response['Connection']), (b'held\n', 'close'))
            self.assertTrue(busy.is_closed())
            self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_a_request_that_has_begun_may_be_finished(self):
        with Server() as server, server.connect() as client:
            client.send_and_see_read(get('/hello')[:20])
            server.process.terminate()
            time.sleep(0.1)  # in which the server would close the connection
            client.send(get('/hello')[20:])
            response = client.response()
            self.assertEqual((response.status, response['Connection']), (200, 'close'))
            self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_after_the_grace_connections_are_cut_off(self):
        with Server(grace=300) as server, server.connect() as client:
            client.send_and_see_read('GET /hello HTTP/1.1\r\nX-A: ')
            server.process.terminate()
            self.assertTrue(client.is_closed())
            self.assertEqual(server.process.wait(PATIENCE), 0)


if __name__ == '__main__':
    unittest.main()
