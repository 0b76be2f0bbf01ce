"""dns_server.py ADDRESS DELAY: every hostN.wild.test is 127.0.0.1, after a delay; nobody has any other name.

On SIGTERM it prints how many A questions came and how many of them were open at the same time."""

import asyncio
import re
import signal
import struct
import sys


class Server(asyncio.DatagramProtocol):
    asked = waiting = most = 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, sender):
        end = data.index(b"\0", 12) + 5
        kind = struct.unpack("!H", data[end - 4:end - 2])[0]
        known = re.fullmatch(rb"\x05host\d|\x06host\d\d", data[12:end - 15]) and data[end - 15:end - 5] == b"\x04wild\x04test"
        answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + b"\x7f\0\0\1" if known and kind == 1 else b""
        head = data[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, bool(answer), 0, 0)
        if kind == 1:
            self.asked, self.waiting = self.asked + 1, self.waiting + 1
            self.most = max(self.most, self.waiting)
        asyncio.get_running_loop().call_later(float(sys.argv[2]), self.answer, kind, head + data[12:end] + answer, sender)

    def answer(self, kind, data, sender):
        self.waiting -= kind == 1
        self.transport.sendto(data, sender)


async def main():
    _, server = await asyncio.get_running_loop().create_datagram_endpoint(Server, (sys.argv[1], 53))
    print("ready", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    print(server.asked, server.most)


asyncio.run(main())
