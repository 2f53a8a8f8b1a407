import fc from "fast-check";
import { expect, test } from "vitest";
import { formatAddress, isLoopback, parseAddress } from "./address.ts";

test("addresses survive being written and read", () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(
    fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
      expect(parseAddress(formatAddress({ host: name, port }))).toEqual({ host: name, port });
    }),
  );
});

test.each(["", "host", "host:", ":80", "host:99999", "::1:80", "[::1]", "[zz]:1", "http://host:1", "a b:1"])(
  "%s is no address",
  (text) => {
    expect(parseAddress(text)).toBeUndefined();
  },
);

test("loopback is what only this machine reaches", () => {
  expect(["127.0.0.1", "127.9.9.9", "::1", "localhost"].every(isLoopback)).toBe(true);
  expect(["0.0.0.0", "::", "10.0.0.1", "127.example.com", "example.com"].some(isLoopback)).toBe(false);
});
