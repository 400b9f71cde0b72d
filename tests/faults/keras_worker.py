"""A process that has Keras and runs command after command: a line of JSON each on stdin, its end on stdout."""

import contextlib
import io
import json
import os
import sys


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    from siamese_utils.backend import keras
    from siamese_utils.cli.app import main as siamese

    for line in sys.stdin:
        sys.argv = ["siamese", *json.loads(line)]
        out, err, code = io.StringIO(), io.StringIO(), 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                siamese()
            except SystemExit as end:
                code = end.code or 0
            except BaseException as end:
                code = 70
                sys.stderr.write(f"Traceback {end!r}")
        keras.utils.clear_session()
        answers.write(json.dumps([code, out.getvalue(), err.getvalue()]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
