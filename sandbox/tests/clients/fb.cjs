// The package fb publishes a picture with a proof of the app's secret, and reads in a batch.
"use strict";
const { Facebook } = require("fb");

const { TOKEN, USER_ID, PICTURE, APP_ID, APP_SECRET } = process.env;
const client = new Facebook({ appId: APP_ID, appSecret: APP_SECRET, accessToken: TOKEN, version: "v24.0" });

async function main() {
  const container = await client.api(`${USER_ID}/media`, "post", { image_url: PICTURE, caption: "A photo" });
  const photo = (await client.api(`${USER_ID}/media_publish`, "post", { creation_id: container.id })).id;
  const me = await client.api("me", { fields: ["id", "name"] });
  const calls = ["me", `${USER_ID}/media?fields=caption`].map((path) => ({ method: "get", relative_url: path }));
  const batch = (await client.api("", "post", { batch: calls })).map((one) => one.code);
  console.log(JSON.stringify({ photo, name: me.name, batch }));
}

main();
