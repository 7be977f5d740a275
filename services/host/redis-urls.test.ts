import { expect, test } from "@jest/globals";
import { redisUrlsOf } from "./redis-urls.ts";

test.each([
  ["redis://localhost", ["redis://localhost"]],
  ["rediss://user:p%40ss@10.0.0.1:6380/2", ["rediss://user:p%40ss@10.0.0.1:6380/2"]],
  ["redis://:secret@a:1,b:2, c", ["redis://:secret@a:1", "redis://:secret@b:2", "redis://:secret@c"]],
  ["redis://[::1]:7000,[::2]:7000", ["redis://[::1]:7000", "redis://[::2]:7000"]],
])("%s names the nodes %p", (text, urls) => {
  expect(redisUrlsOf(text)).toEqual(urls);
});

test.each(["redis:", "redis://", "redis:///1", "http://a", "redis://a,", "redis://a:1/x", "redis://a:port"])(
  "%s names none",
  (text) => {
    expect(redisUrlsOf(text)).toBeUndefined();
  },
);
