<?php
// Leads a client with constant hosts to the sandbox. With Guzzle:
//   $stack = GuzzleHttp\HandlerStack::create();
//   $stack->push(GuzzleHttp\Middleware::mapRequest('sandbox_request'));
//   $client = new GuzzleHttp\Client(['handler' => $stack]);
// With curl: curl_setopt($curl, CURLOPT_URL, sandbox_url($url));

function sandbox_url(string $url): string
{
    $host = parse_url($url, PHP_URL_HOST) ?: '';
    if (!preg_match('/(^|\.)(facebook|instagram)\.com$/', $host)) {
        return $url;
    }
    $sandbox = rtrim(getenv('SANDBOX_URL') ?: 'http://127.0.0.1:8077', '/');
    return $sandbox . preg_replace('#^https?://[^/?\#]*#', '', $url);
}

function sandbox_request(Psr\Http\Message\RequestInterface $request): Psr\Http\Message\RequestInterface
{
    $host = $request->getUri()->getHost();
    $led = $request->withUri(new GuzzleHttp\Psr7\Uri(sandbox_url((string) $request->getUri())));
    return $led->getUri()->getHost() === $host ? $led : $led->withHeader('X-Meta-Host', $host);
}
