#include "options.hpp"

#include <getopt.h>

#include "../guv_run/refusal.hpp"

namespace guv::check {

Options read_options(int argc, char** argv) {
  static const option known[] = {{"json", no_argument, nullptr, 'j'},    {"quiet", no_argument, nullptr, 'q'},
                                 {"verbose", no_argument, nullptr, 'v'}, {"help", no_argument, nullptr, 'h'},
                                 {"version", no_argument, nullptr, 'V'}, {}};
  Options options;
  opterr = 0;
  // '+': options end at the program, for which further words may one day be meant.
  for (int letter; (letter = getopt_long(argc, argv, "+", known, nullptr)) != -1;) {
    switch (letter) {
      case 'j': options.json = true; break;
      case 'q': options.quiet = true; break;
      case 'v': options.verbose = true; break;
      case 'h': options.help = true; return options;
      case 'V': options.version = true; return options;
      default:
        options.mistake = "unknown option, or one with a value: " + run::in_quotes(argv[optind - 1]);
        return options;
    }
  }
  if (optind == argc) {
    options.mistake = "no program and no process given";
  } else if (optind + 1 < argc) {
    options.mistake = "one program at a time: " + run::in_quotes(argv[optind + 1]) + " is one word too many";
  } else {
    options.subject = argv[optind];
  }
  return options;
}

std::string help_text() {
  return "Usage: guv-check [options] PROGRAM|PID\n"
         "Says, before the run, what of an unmodified program guv makes green, what not, and why.\n\n"
         "  --json      one JSON object instead of text\n"
         "  --quiet     print nothing; the exit status tells\n"
         "  --verbose   every name of libc with what becomes of it, and all details\n"
         "  --help      print this and exit\n"
         "  --version   print the version and exit\n"
         "\nA number is a process; ./7 is a program called 7.\n"
         "Exit status: 0 fine, 1 works with limits, 2 will not work, 3 used wrongly or no such program. More in\n"
         "guv-check(1).\n";
}

}  // namespace guv::check
