# A file server with a Thread for each connection: file_server.rb PORT DIRECTORY
require 'socket'

port, directory = ARGV
server = TCPServer.new('127.0.0.1', port.to_i)
server.listen(1000)
loop do
  Thread.new(server.accept) do |client|
    while (line = client.gets)
      nil until client.gets.strip.empty?
      data = File.binread(File.join(directory, line.split[1]))
      client.write("HTTP/1.1 200 OK\r\nContent-Length: #{data.bytesize}\r\n\r\n", data)
    end
    client.close
  end
end
