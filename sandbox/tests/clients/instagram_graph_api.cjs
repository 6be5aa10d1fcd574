// The package instagram-graph-api publishes each medium that it can, and reads everything back.
"use strict";
const library = require("instagram-graph-api");

const { TOKEN, USER_ID, PICTURE, VIDEO } = process.env;
const client = new library.Client(TOKEN, USER_ID);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function published(request) {
  const id = (await request.execute()).getId();
  for (let tries = 0; tries < 100; tries++) {
    const container = await new library.GetContainerRequest(TOKEN, id).execute();
    if (container.getContainerStatusCode() === "FINISHED") break;
    await wait(50);
  }
  return (await new library.PostPublishMediaRequest(TOKEN, USER_ID, id).execute()).getId();
}

async function main() {
  const photo = await published(client.newPostPagePhotoMediaRequest(PICTURE, "A photo", undefined, undefined));
  const reel = await published(client.newPostPageReelMediaRequest(VIDEO, "A reel"));
  const story = await published(client.newPostPageStoriesPhotoMediaRequest(PICTURE));
  const film = await published(client.newPostPageStoriesVideoMediaRequest(VIDEO));
  const comment = (await new library.PostMediaCommentRequest(TOKEN, photo, "First!").execute()).getId();
  await new library.PostReplyRequest(TOKEN, comment, "Second!").execute();
  const hidden = (await new library.PostHideCommentRequest(TOKEN, comment, true).execute()).wasSuccessful();
  const media = await client.newGetPageMediaRequest().execute();
  const comments = await new library.GetMediaCommentsRequest(TOKEN, photo).execute();
  const replies = await new library.GetRepliesRequest(TOKEN, comment).execute();
  const answer = {
    photo, reel, story, film, hidden,
    captions: media.getCaptions(),
    productTypes: media.getMediaProductTypes(),
    stories: (await new library.GetPageStoriesRequest(TOKEN, USER_ID).execute()).getIds(),
    comments: comments.getTexts(),
    replies: replies.getTexts(),
    account: (await client.newGetPageInfoRequest().execute()).getUsername(),
    caption: (await client.newGetMediaInfoRequest(reel).execute()).getCaption(),
    quota: (await client.newGetContentPublishingLimitRequest().execute()).getQuotaUsage(),
    deleted: (await new library.DeleteCommentRequest(TOKEN, comment).execute()).wasSuccessful(),
  };
  console.log(JSON.stringify(answer));
}

main();
