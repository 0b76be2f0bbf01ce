import java.io.*;
import java.net.*;
import java.nio.file.*;

/** A file server with a Thread for each connection: FileServer PORT DIRECTORY */
class FileServer {
  public static void main(String[] arguments) throws IOException {
    ServerSocket server = new ServerSocket(Integer.parseInt(arguments[0]), 1000, InetAddress.getByName("127.0.0.1"));
    while (true) {
      Socket client = server.accept();
      new Thread(() -> serve(client, Paths.get(arguments[1]))).start();
    }
  }

  static void serve(Socket client, Path directory) {
    try (client) {
      BufferedReader in = new BufferedReader(new InputStreamReader(client.getInputStream(), "ISO-8859-1"));
      OutputStream out = client.getOutputStream();
      for (String line; (line = in.readLine()) != null;) {
        while (!in.readLine().isEmpty()) {}
        byte[] data = Files.readAllBytes(directory.resolve(line.split(" ")[1].substring(1)));
        out.write(("HTTP/1.1 200 OK\r\nContent-Length: " + data.length + "\r\n\r\n").getBytes("ISO-8859-1"));
        out.write(data);
      }
    } catch (IOException error) {
      System.err.println(error);
    }
  }
}
