/** The public key of the tests' extension, from which Chromium derives the id of the extension. */
export const EXTENSION_KEY = [
  'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2edBhVxbz64Q4ItvbBvcTqntjVQ4pNt/9XzohlEpWeI8dd',
  'kG5Aa4zT71vS4xLtmr3PHUvTp9WXWy2XRmJMxpE4uGmY3wJgUxmdz7fjwK1FCh7Ph15h5Y50yJVCLnzhXs5rWdzfOc',
  'FHXNWD18Pzels5wpKoks+3IsNncApeunn1MZs1HF3fZOUsrAh/RdmXlUVRhXcsFc0G6d5Ymz2QvTkM9ISZXaAc+lB1',
  'ZJRlrtb3xkapaF9KLfR2gXDC80gbqOUo1AfovGROX8pStMS16YIvFe0jLq3l/tRIoV67g/Xl3ulmuGLQRxntPqB9wR',
  'nzCg99SBSN1r0ncetR9hfSYFpwIDAQAB',
].join('')

/** The address at which `chrome.identity.launchWebAuthFlow` takes the answer for that extension. */
export const EXTENSION_REDIRECT_URI = 'https://mnlkhpklehmfcfdbahpllnlegjbmggcl.chromiumapp.org/'
