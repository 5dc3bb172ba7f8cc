import time
from urllib.parse import parse_qs


def application(environ, start_response):
    """Reads its body, sleeps if asked to, and answers who served which path, the body's length, and padding."""
    query = parse_qs(environ.get('QUERY_STRING', ''))
    body = 0
    while chunk := environ['wsgi.input'].read(65536):
        body += len(chunk)
    if 'sleep' in query:
        time.sleep(float(query['sleep'][0]))
    size = int(query.get('size', ['0'])[0])
    line = f'{environ.get("mod_wsgi.process_group")} {environ["PATH_INFO"]} {body}\n'.encode()
    start_response('200 OK', [('Content-Length', str(len(line) + size))])
    yield line
    while size > 0:
        yield b'x' * min(size, 65536)
        size -= 65536
