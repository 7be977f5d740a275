/** The elements of a list across all its pages, which are fetched on demand. */
export interface Paged<Element, Page> extends AsyncIterable<Element> {
  /** Iterates page by page. */
  pages(): AsyncIterable<Page>;
}

/**
 * Iterates over the results of a List method.
 *
 * @param fetchPage calls the method with a page token, empty for the first page
 * @param elements returns the elements of a response
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
