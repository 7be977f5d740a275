/** The elements of a list over all its pages, fetched as they are needed. */
export interface Paged<Element, Page> extends AsyncIterable<Element> {
  /** The same, page by page. */
  pages(): AsyncIterable<Page>;
}

/**
 * Goes through a List method.
 *
 * @param fetchPage calls the method with a page token, empty for the first page
 * @param elements the elements of an answer
 */
export function paged<Element, Page extends { nextPageToken: string }>(
  fetchPage: (pageToken: string) => Promise<Page>,
  elements: (page: Page) => readonly Element[],
): Paged<Element, Page> {
  async function* pages() {
    let pageToken = "";
    do {
      const page = await fetchPage(pageToken);
      yield page;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }
  return {
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const page of pages()) {
        yield* elements(page);
      }
    },
  };
}
