// Meta's SDK for Node publishes a picture, a reel and a carousel, and reads everything back.
"use strict";
const { FacebookAdsApi, IGMedia, IGUser, User } = require("facebook-nodejs-business-sdk");

const { TOKEN, USER_ID, PICTURE, VIDEO } = process.env;
const api = FacebookAdsApi.init(TOKEN);
const user = new IGUser(USER_ID);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function published(params) {
  const { id } = await user.createMedia([], params);
  for (let tries = 0; tries < 100; tries++) {
    const { status_code: status } = await api.call("GET", [id], { fields: "status_code" });
    if (status === "FINISHED") break;
    await wait(50);
  }
  return (await user.createMediaPublish([], { creation_id: id })).id;
}

async function main() {
  const photo = await published({ image_url: PICTURE, caption: "A photo" });
  const reel = await published({ media_type: "REELS", video_url: VIDEO, caption: "A reel", share_to_feed: true });
  const child = async () => (await user.createMedia([], { image_url: PICTURE, is_carousel_item: true })).id;
  const children = [await child(), await child()];
  const carousel = await published({ media_type: "CAROUSEL", children, caption: "A carousel" });
  const media = new IGMedia(photo);
  await media.createComment([], { message: "First!" });
  const first = await user.getMedia(["caption"], { limit: 2 });
  const captions = first.map((one) => one.caption);
  const next = await first.next();
  const pages = await new User("me").getAccounts(["instagram_business_account"]);
  const answer = {
    ids: [photo, reel, carousel],
    captions: [...captions, ...next.map((one) => one.caption)],
    comments: (await media.getComments(["text"])).map((one) => one.text),
    accounts: pages.map((one) => one.instagram_business_account.id),
    quota: (await user.getContentPublishingLimit(["quota_usage"])).map((one) => one.quota_usage),
  };
  console.log(JSON.stringify(answer));
}

main();
